/**
 * In what state a connection goes back, and when it must not.
 */
import type { CallHost } from "../call/call-host.ts";
import type { DriverConnection, TransactionStatus } from "../contract/driver.ts";
import { deferred } from "../face/deferred.ts";

/** Longest wait for a ROLLBACK that tidies up, in milliseconds; after it the connection is destroyed instead. */
const TIDY_MS = 5_000;

/** States in which a transaction is surely under way. */
export const OPEN: ReadonlySet<TransactionStatus> = new Set<TransactionStatus>(["open", "failed"]);

/** How a call leaves its connection. */
interface GivenBack {
  readonly discarded: boolean;
  /** A statement may still be running that nobody waited for. */
  readonly running: boolean;
  readonly label: string | undefined;
}

/**
 * Gives a connection back, or ends it where nobody else may have it. Resolves when it is back or gone; undefined when it
 * is back already.
 */
export function giveBack(
  connection: DriverConnection,
  host: CallHost,
  { discarded, running, label }: GivenBack,
): Promise<void> | undefined {
  if (discarded || !connection.usable || running) {
    // A statement that nobody waited for may still be running: such a connection is nobody else's to use.
    return connection.destroy(running && connection.usable);
  }
  if (connection.transactionStatus !== "idle" || host.reset !== undefined) return tidyUp(connection, host, label);
  connection.release();
  return undefined;
}

/** Ends a transaction that the caller left open, and takes away what is the session's; only then may others have it. */
async function tidyUp(connection: DriverConnection, host: CallHost, label: string | undefined): Promise<void> {
  const { clock } = host;
  const late = deferred<never>();
  const timer = clock.setTimer(TIDY_MS, () => {
    void connection.destroy(true);
    late.reject(undefined);
  });
  try {
    // A function of the caller's own need not end when its connection does.
    await Promise.race([tidied(connection, host, label), late.promise]);
  } catch {
    // Nobody can say in what state it is.
    await connection.destroy(false);
    return;
  } finally {
    timer.cancel();
  }
  if (connection.usable && connection.transactionStatus === "idle") connection.release();
  else await connection.destroy(false);
}

async function tidied(connection: DriverConnection, host: CallHost, label: string | undefined): Promise<void> {
  const { dialect, events, meter, name, reset } = host;
  if (connection.transactionStatus !== "idle") {
    if (OPEN.has(connection.transactionStatus)) {
      meter.leftOpen();
      events.emit("connection:open-transaction", { pool: name, label });
    }
    await connection.query({ text: dialect.transaction.rollback });
  }
  await reset?.(connection);
}
