/**
 * What `fallback` says on the bus.
 */
import type { Failure } from "@breakwater/core";

/** A failed call was answered all the same. */
export interface FallbackAnswered {
  readonly pool: string;
  readonly label: string | undefined;
  /** Where the answer came from: the store of earlier answers, or the value or function of the options. */
  readonly by: "stale" | "value";
  /** What the call failed of. */
  readonly failure: Failure;
}

/** The store or the function threw; the caller gets what the call itself failed with. */
export interface FallbackFailed {
  readonly pool: string;
  readonly label: string | undefined;
  readonly error: unknown;
}

declare module "@breakwater/core" {
  interface EventMap {
    "fallback:answered": FallbackAnswered;
    "fallback:failed": FallbackFailed;
  }
}
