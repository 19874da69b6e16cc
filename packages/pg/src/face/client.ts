/**
 * A `pg.Client` that is lent, as far as the face looks into it, and when it has nothing left to do.
 */
import type { EventEmitter } from "node:events";
import { cancelRunning } from "../cancel.ts";
import type { PgClient } from "../types.ts";

/** How `pg` gives a client back: with an error, or true, it is ended instead of reused. */
export type Release = (error?: unknown) => void;

/** What `pg` sends and hears answers for: a query, a cursor, a stream. */
export interface Submittable {
  submit(connection: unknown): unknown;
  handleError?(error: unknown, connection: unknown): void;
  readonly text?: unknown;
}

/** A client of `pg`. `readyForQuery` is false while it waits for an answer; the native binding has none. */
export type LentClient = Omit<PgClient, "release" | "query"> &
  EventEmitter & {
    release: Release;
    query: (config: unknown, values?: unknown, callback?: unknown) => unknown;
    readonly readyForQuery?: boolean;
    readonly _activeQuery?: unknown;
  };

/** A cursor of `pg-cursor`, as far as it is closed here. */
interface Cursor {
  close?(done: () => void): void;
  readonly state?: unknown;
}

/** Longest wait for a client that is given back while it works, in milliseconds; then it is ended instead. */
const TIDY_MS = 5_000;

/** Whether a client waits for the server. What is asked for after that waits for its turn. */
export function isBusy(client: LentClient): boolean {
  return client.readyForQuery === false && client._queryable !== false && client._ending !== true;
}

/** Calls `then` once: when the client has nothing left to do, or its link has ended. Returns the way to stop waiting. */
export function whenQuiet(client: LentClient, then: () => void): () => void {
  const stop = (): void => {
    client.removeListener("drain", quiet);
    client.removeListener("end", quiet);
  };
  const quiet = (): void => {
    stop();
    then();
  };
  client.on("drain", quiet);
  client.on("end", quiet);
  return stop;
}

/**
 * Waits for the end of what a client was left with: statements that nobody waited for, a cursor that nobody read to its
 * end. False when it did not end in time; the server has been asked to stop it then, and the client must not be reused.
 */
export function finishWork(client: LentClient): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      stop();
      void cancelRunning(client as unknown as PgClient).then(() => resolve(false));
    }, TIDY_MS);
    const stop = whenQuiet(client, () => {
      clearTimeout(timer);
      resolve(true);
    });
    closeCursor(client._activeQuery);
  });
}

/** A cursor between two reads waits for its reader and not for the server: only closing it lets the client go on. */
export function closeCursor(active: unknown): void {
  const query = active as (Cursor & { readonly cursor?: Cursor }) | null | undefined;
  const cursor = query?.cursor ?? query;
  if (typeof cursor?.close === "function" && cursor.state !== "done") cursor.close(() => undefined);
}
