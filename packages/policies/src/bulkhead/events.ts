/**
 * What `bulkhead` says on the bus.
 */
import type { Priority } from "@breakwater/core";

/**
 * Why a call was turned away. `full`: as many wait as may; `displaced`: it made room for a call that is served before it;
 * `expired`: its deadline passed, or was too near; `max-wait`: it waited as long as may be; `codel`: it waited too long in a queue that
 * stands.
 */
export type BulkheadReason = "full" | "displaced" | "expired" | "max-wait" | "codel";

/** A call was turned away without having been sent. */
export interface BulkheadRejected {
  readonly pool: string;
  readonly label: string | undefined;
  readonly priority: Priority;
  readonly why: BulkheadReason;
  /** How long it had waited, in milliseconds. */
  readonly waitedMs: number;
  /** Calls that run. */
  readonly running: number;
  /** Calls that wait. */
  readonly waiting: number;
}

/** The limits were changed by hand. */
export interface BulkheadChanged {
  readonly pool: string;
  readonly maxConcurrent: number;
  readonly maxQueued: number;
  readonly maxWaitMs: number;
}

declare module "@breakwater/core" {
  interface EventMap {
    "bulkhead:rejected": BulkheadRejected;
    "bulkhead:changed": BulkheadChanged;
  }
}
