/**
 * In what state a connection goes back, and when it must not.
 */
import type { CallHost } from "./call-host.ts";
import type { DriverConnection, TransactionStatus } from "./driver.ts";

/** Longest wait for a ROLLBACK that tidies up, in milliseconds; after it the connection is destroyed instead. */
const TIDY_MS = 5_000;

/** States in which a transaction is surely under way. */
export const OPEN: ReadonlySet<TransactionStatus> = new Set<TransactionStatus>(["open", "failed"]);

/**
 * Gives a connection back, or ends it where nobody else may have it. Resolves when it is back or gone; undefined when it
 * is back already.
 */
export function giveBack(
  connection: DriverConnection,
  host: CallHost,
  { discarded, running }: { readonly discarded: boolean; readonly running: boolean },
): Promise<void> | undefined {
  if (discarded || !connection.usable || running) {
    // A statement that nobody waited for may still be running: such a connection is nobody else's to use.
    return connection.destroy(running && connection.usable);
  }
  if (connection.transactionStatus !== "idle") return rollBack(connection, host);
  connection.release();
  return undefined;
}

/** Ends a transaction that the caller left open; only then may somebody else have the connection. */
async function rollBack(connection: DriverConnection, host: CallHost): Promise<void> {
  const { clock, dialect, events, name } = host;
  if (OPEN.has(connection.transactionStatus)) events.emit("connection:open-transaction", { pool: name });
  const timer = clock.setTimer(TIDY_MS, () => void connection.destroy(true));
  await connection.query({ text: dialect.transaction.rollback }).catch(() => undefined);
  timer.cancel();
  if (connection.usable && connection.transactionStatus === "idle") connection.release();
  else await connection.destroy(false);
}
