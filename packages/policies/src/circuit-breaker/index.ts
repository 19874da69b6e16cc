/** Refuses calls to a node that keeps failing. */
export type { CircuitState } from "./circuit.ts";
export * from "./circuit-breaker.ts";
export * from "./events.ts";
export type { CircuitBreakerOptions, CountedBlame, TripOptions } from "./options.ts";
