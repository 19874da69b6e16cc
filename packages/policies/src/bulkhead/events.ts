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
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** The call's priority. */
  readonly priority: Priority;
  /** Why it was turned away. */
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
  /** Name of the pool. */
  readonly pool: string;
  /** Most calls that run at a time. */
  readonly maxConcurrent: number;
  /** Most calls that wait. */
  readonly maxQueued: number;
  /** Longest that a call may wait, in milliseconds. */
  readonly maxWaitMs: number;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** A call was turned away by `bulkhead`. */
    "bulkhead:rejected": BulkheadRejected;
    /** The limits of a `bulkhead` were changed. */
    "bulkhead:changed": BulkheadChanged;
  }
}
