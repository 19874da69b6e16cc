/**
 * What `throttle` says on the bus.
 */
import type { Priority } from "@breakwater/core";

/** A call was turned away without having been sent. */
export interface ThrottleRejected {
  readonly pool: string;
  readonly label: string | undefined;
  readonly priority: Priority;
  /** How probable that was. */
  readonly probability: number;
}

declare module "@breakwater/core" {
  interface EventMap {
    "throttle:rejected": ThrottleRejected;
  }
}
