/**
 * What `adaptiveLimit` says on the bus.
 */
import type { Priority } from "@breakwater/core";

/** A call was turned away without having been sent. */
export interface AdaptiveLimitRejected {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** The call's priority. */
  readonly priority: Priority;
  /** Calls that were running. */
  readonly running: number;
  /** Calls that may run at a time. */
  readonly limit: number;
}

/** The limit is another one. */
export interface AdaptiveLimitChanged {
  /** Name of the pool. */
  readonly pool: string;
  /** The limit before. */
  readonly from: number;
  /** The limit now. */
  readonly limit: number;
  /** `latency`: by what calls take; `overload`: the server had no room or no time; `bounds`: by hand, or with the pool. */
  readonly why: "latency" | "overload" | "bounds";
}

declare module "@breakwater/core" {
  interface EventMap {
    /** A call was turned away by `adaptiveLimit`. */
    "adaptive-limit:rejected": AdaptiveLimitRejected;
    /** `adaptiveLimit` lets another number of calls run at a time. */
    "adaptive-limit:changed": AdaptiveLimitChanged;
  }
}
