/**
 * What is written down of how a call comes to its connection.
 */
import type { DriverConnection } from "../contract/driver.ts";
import type { Permits } from "../waiting/permits.ts";
import { type CallTrace, told } from "./trace.ts";

const LAYER = "connection";

/** Writes down how a connection is taken, and how long that took. */
export function noteConnection(
  trace: CallTrace,
  { pool, permits }: { readonly pool: string; readonly permits: Permits },
  take: () => DriverConnection | Promise<DriverConnection>,
): DriverConnection | Promise<DriverConnection> {
  const { waiting, taken, max } = permits;
  const found = take();
  if (!(found instanceof Promise)) {
    if (trace.detailed) trace.note(LAYER, "an idle one was free", { pool });
    return found;
  }
  const inQueue = taken >= max;
  trace.note(LAYER, inQueue ? "all are taken" : "none is idle", inQueue ? { pool, max, waiting } : { pool });
  const ended = trace.wait(LAYER, "connection");
  return found.then(
    (connection) => {
      ended();
      return connection;
    },
    (error: unknown) => {
      ended();
      trace.note(LAYER, "got none", { pool, why: told(error).reason });
      throw error;
    },
  );
}
