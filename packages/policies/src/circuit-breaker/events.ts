/**
 * What `circuitBreaker` says on the bus.
 */
import type { Failure } from "@breakwater/core";

/** Too much failed, or a trial did: calls are refused for a while. */
export interface CircuitOpened {
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
  readonly pool: string;
}

/** Calls pass again: a trial or a probe was answered, the last isolation was lifted, or it was reset by hand. */
export interface CircuitClosed {
  readonly pool: string;
  readonly why: "trial" | "probe" | "lifted" | "reset";
}

/** The circuit was taken out of service by hand. */
export interface CircuitIsolated {
  readonly pool: string;
}

declare module "@breakwater/core" {
  interface EventMap {
    "circuit-breaker:opened": CircuitOpened;
    "circuit-breaker:half-opened": CircuitHalfOpened;
    "circuit-breaker:closed": CircuitClosed;
    "circuit-breaker:isolated": CircuitIsolated;
  }
}
