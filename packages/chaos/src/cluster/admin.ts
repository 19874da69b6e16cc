/** The kit's own statements: one short-lived connection each, never through a proxy, never without a limit. */
import { Socket } from "node:net";
import { Client } from "pg";
import { stateError } from "../errors.ts";
import { within } from "../wait.ts";
import { type AdminAccess, addressOf } from "./provider.ts";

/** Runs one statement and gives back its rows. */
export type Ask = <R>(text: string, values?: readonly unknown[]) => Promise<R[]>;

/**
 * Runs one statement directly on a server.
 *
 * @throws the driver's error; ChaosError ERR_BREAKWATER_CHAOS_TIMEOUT when there is no answer within `limitMs`.
 */
export function adminQuery<R>(
  access: AdminAccess,
  text: string,
  values: readonly unknown[] = [],
  limitMs = 10_000,
): Promise<R[]> {
  return adminSession(access, (ask) => ask<R>(text, values), limitMs);
}

/** Runs several statements on one connection, which is gone when this settles. */
export async function adminSession<T>(
  access: AdminAccess,
  work: (ask: Ask) => Promise<T>,
  limitMs = 10_000,
): Promise<T> {
  // The socket is ours, so that it can be closed also when the server does not answer any more.
  const socket = new Socket();
  const client = new Client({
    connectionString: addressOf(access),
    application_name: "breakwater-chaos",
    stream: () => socket,
  });
  client.on("error", () => {});
  const all = async (): Promise<T> => {
    await client.connect();
    return work(async <R>(text: string, values: readonly unknown[] = []) => {
      const result = await client.query(text, [...values]);
      return result.rows as R[];
    });
  };
  const running = all();
  running.catch(() => {}); // may reject after the limit, when nobody listens any more
  try {
    return await within(`an answer of the server on port ${access.port}`, running, limitMs);
  } finally {
    // Polite when that works at once, as a server logs connections that just vanish.
    if (socket.writable && !socket.connecting) socket.end(Buffer.from([0x58, 0, 0, 0, 4]));
    socket.destroySoon();
    setImmediate(() => socket.destroy());
  }
}

/** @throws ChaosError ERR_BREAKWATER_CHAOS_STATE when the statement gave no row. */
export function only<R>(rows: readonly R[]): R {
  const [row] = rows;
  if (row === undefined) throw stateError("the server gave no row");
  return row;
}
