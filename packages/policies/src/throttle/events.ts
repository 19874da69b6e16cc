/**
 * What `throttle` says on the bus.
 */
import type { Priority } from "@breakwater/core";

/** A call was turned away without having been sent. */
export interface ThrottleRejected {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** The call's priority. */
  readonly priority: Priority;
  /** How probable that was. */
  readonly probability: number;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** A call was turned away by `throttle`. */
    "throttle:rejected": ThrottleRejected;
  }
}
