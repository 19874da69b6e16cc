/**
 * What `adaptiveLimit` says on the bus.
 */
import type { Priority } from "@breakwater/core";

/** A call was turned away without having been sent. */
export interface AdaptiveLimitRejected {
  readonly pool: string;
  readonly label: string | undefined;
  readonly priority: Priority;
  readonly running: number;
  readonly limit: number;
}

/** The limit is another one. */
export interface AdaptiveLimitChanged {
  readonly pool: string;
  readonly from: number;
  readonly limit: number;
  /** `latency`: by what calls take; `overload`: the server had no room or no time; `bounds`: by hand, or with the pool. */
  readonly why: "latency" | "overload" | "bounds";
}

declare module "@breakwater/core" {
  interface EventMap {
    "adaptive-limit:rejected": AdaptiveLimitRejected;
    "adaptive-limit:changed": AdaptiveLimitChanged;
  }
}
