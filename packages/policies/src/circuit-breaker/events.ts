/**
 * What `circuitBreaker` says on the bus.
 */
import type { Failure } from "@breakwater/core";

/** Too much failed, or a trial did: calls are refused for a while. */
export interface CircuitOpened {
  /** Name of the pool. */
  readonly pool: string;
  /** What it was before: a circuit that stays down goes from half-open to open again and again. */
  readonly from: "closed" | "half-open";
  /** How long until one call may try, in milliseconds. */
  readonly breakMs: number;
  /** The failure that opened it. */
  readonly failure: Failure;
}

/** The break is over and one call tries. */
export interface CircuitHalfOpened {
  /** Name of the pool. */
  readonly pool: string;
}

/** Calls pass again: a trial or a probe was answered, the last isolation was lifted, or it was reset by hand. */
export interface CircuitClosed {
  /** Name of the pool. */
  readonly pool: string;
  /** What closed it. */
  readonly why: "trial" | "probe" | "lifted" | "reset";
}

/** The circuit was taken out of service by hand. */
export interface CircuitIsolated {
  /** Name of the pool. */
  readonly pool: string;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** A breaker refuses calls. */
    "circuit-breaker:opened": CircuitOpened;
    /** A breaker lets one call try. */
    "circuit-breaker:half-opened": CircuitHalfOpened;
    /** A breaker lets calls pass again. */
    "circuit-breaker:closed": CircuitClosed;
    /** A breaker was opened by hand. */
    "circuit-breaker:isolated": CircuitIsolated;
  }
}
