/**
 * When an error of `pg`'s own is the whole of what there is to know.
 */
import type { PgClient } from "./types.ts";

/** How long `pg` may leave open what it had begun to send, in milliseconds. */
const STUCK_MS = 1_000;

/**
 * pg reports an error as soon as it arrives. Only ReadyForQuery, which follows, tells the state of the transaction and
 * proves that an autocommit statement was undone; after FATAL the connection ends instead. `refused` where pg itself did
 * not send the statement.
 */
export function whenReady(client: PgClient, refused: boolean, then: () => void): void {
  const { connection } = client;
  if (connection === undefined) {
    then();
    return;
  }
  let waiting = true;
  const end = (): void => {
    if (!waiting) return;
    waiting = false;
    connection.removeListener("readyForQuery", end);
    connection.removeListener("end", end);
    clearTimeout(timer);
    then();
  };
  connection.once("readyForQuery", end);
  connection.once("end", end);
  // Where pg gives up before it sends anything, it is ready again as soon as it has told us.
  queueMicrotask(() => {
    if (client.readyForQuery !== false) end();
  });
  // And before 8.17 it forgets to end what it had begun to send, and is never ready again.
  const timer = refused ? setTimeout(() => connection.stream?.destroy(), STUCK_MS) : undefined;
}
