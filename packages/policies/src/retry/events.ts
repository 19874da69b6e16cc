/**
 * What `retry` says on the bus.
 */
import type { Failure } from "@breakwater/core";

/** An attempt failed and the next one will be made. */
export interface RetryScheduled {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** Number of the attempt to come, from 2. */
  readonly attempt: number;
  /** How long it waits from now, in milliseconds. */
  readonly delayMs: number;
  /** Why the attempt failed. */
  readonly failure: Failure;
}

/**
 * Why a call that could have been run again was not: as many retries as are allowed; the wait would have passed the
 * deadline; the budget is empty; the pool was closed.
 */
export type RetryEnd = "max-retries" | "deadline" | "budget" | "closed";

/** A call that could have been run again was given up. */
export interface RetryExhausted {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** How many attempts were made. */
  readonly attempts: number;
  /** Why no further attempt is made. */
  readonly why: RetryEnd;
  /** What the last one failed with. */
  readonly failure: Failure;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** `retry` will make another attempt. */
    "retry:scheduled": RetryScheduled;
    /** `retry` has given up. */
    "retry:exhausted": RetryExhausted;
  }
}
