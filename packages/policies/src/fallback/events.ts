/**
 * What `fallback` says on the bus.
 */
import type { Failure } from "@breakwater/core";

/** A failed call was answered all the same. */
export interface FallbackAnswered {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** Where the answer came from: the store of earlier answers, or the value or function of the options. */
  readonly by: "stale" | "value";
  /** What the call failed of. */
  readonly failure: Failure;
}

/** The store or the function threw; the caller gets what the call itself failed with. */
export interface FallbackFailed {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** What it threw. */
  readonly error: unknown;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** `fallback` has answered a call that failed. */
    "fallback:answered": FallbackAnswered;
    /** `fallback` itself has failed. */
    "fallback:failed": FallbackFailed;
  }
}
