/**
 * Cursors and streams given to `pool.query`: each has a connection to itself from its start to its end.
 */
import { Readable } from "node:stream";
import { Completion, type Connection } from "@breakwater/core";
import { call } from "./callback.ts";
import { isBusy, type LentClient, type Submittable, whenQuiet } from "./client.ts";
import type { LeaseHost } from "./lease.ts";

interface Closable {
  close(...given: unknown[]): unknown;
}

/** Whether `pg` would submit a value instead of making a query of it. */
export function isSubmittable(value: unknown): value is Submittable {
  return typeof value === "object" && value !== null && typeof (value as Submittable).submit === "function";
}

/** A cursor or stream on its way to a connection. */
export class Submission {
  readonly #query: Submittable;
  readonly #callback: unknown;
  readonly #unwatch: () => void;
  // A cursor that is closed before it has a connection does not remember it.
  #closed = false;

  constructor(query: Submittable, callback: unknown) {
    this.#query = query;
    this.#callback = callback;
    this.#unwatch = watchClose(query, () => {
      this.#closed = true;
    });
  }

  /** Sends it; the result ends when the connection has nothing left to do. */
  run(connection: Connection, host: LeaseHost): Completion {
    const client = connection.driver as LentClient;
    const ended = new Completion();
    const end = (): void => {
      host.released(undefined, client);
      ended.complete();
    };
    this.#unwatch();
    host.acquired(client);
    // A stream for writing that was destroyed early still has to hear of its end, and hears it from the server.
    const left = this.#closed || (this.#query instanceof Readable && this.#query.destroyed);
    if (!left) client.query(this.#query, this.#callback);
    if (left || !isBusy(client)) end();
    else whenQuiet(client, end);
    return ended;
  }

  /** It got no connection. */
  fail(error: unknown): void {
    this.#unwatch();
    const { destroy, destroyed, read } = this.#query as { destroy?: unknown; destroyed?: boolean; read?: unknown };
    const hears = typeof this.#callback === "function";
    if (hears) call(this.#callback, error);
    if (typeof destroy === "function") {
      if (destroyed !== true) destroy.call(this.#query, error);
    } else if (!hears || typeof read === "function") {
      // Those who wait for a cursor's rows hear of it as well.
      this.#query.handleError?.(error, undefined);
    }
  }
}

/** Tells when a cursor, or the cursor of a stream, is closed. Returns the way to stop. */
function watchClose(query: Submittable, closed: () => void): () => void {
  const cursor = ((query as { cursor?: unknown }).cursor ?? query) as Partial<Closable>;
  const { close } = cursor;
  if (typeof close !== "function") return () => undefined;
  const own = Object.hasOwn(cursor, "close");
  cursor.close = (...given) => {
    closed();
    return close.apply(cursor, given);
  };
  return () => {
    if (own) cursor.close = close;
    else delete cursor.close;
  };
}
