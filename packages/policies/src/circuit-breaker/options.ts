/**
 * What may be said to `circuitBreaker`, and the check of it.
 */
import {
  type Clock,
  knownOptions,
  oneOf,
  OptionError,
  positiveInteger,
  positiveMs,
  ratio,
  systemClock,
} from "@breakwater/core";

/** What opens a closed circuit. */
export type TripOptions =
  | {
      /** So many failures in a row. */
      readonly kind: "consecutive";
      /** A whole number from 1. @default 5 */
      readonly failures?: number;
    }
  | {
      /** A share of the last calls. */
      readonly kind: "count";
      /** Share of failures at which it opens; above 0, at most 1. @default 0.5 */
      readonly failureRatio?: number;
      /** Calls that must have been counted; a whole number from 1 to `size`. @default 10, or `size` if that is less */
      readonly minimumCalls?: number;
      /** How many calls are looked back on; a whole number from 1 to 100000. @default 100 */
      readonly size?: number;
    }
  | {
      /** A share of the calls in a window of time. */
      readonly kind: "sampling";
      /** Share of failures at which it opens; above 0, at most 1. @default 0.5 */
      readonly failureRatio?: number;
      /** Calls that must have been counted in the window; a whole number from 1. @default 10 */
      readonly minimumCalls?: number;
      /** Length of the window in milliseconds; above 0. @default 10000 */
      readonly windowMs?: number;
    };

/** What may be counted against a node. */
export type CountedBlame = "node" | "load";

/** When a breaker opens, and for how long. */
export interface CircuitBreakerOptions {
  /** What opens the circuit. @default { kind: "consecutive", failures: 5 } */
  readonly trip?: TripOptions;
  /** How long an open circuit refuses calls before it lets one try, in milliseconds; above 0. @default 1000 */
  readonly breakMs?: number;
  /**
   * Which failures count, by what they blame. With `load` a node that is too slow is refused calls as if it were down,
   * which turns an overload into an outage. @default ["node"]
   */
  readonly counts?: readonly CountedBlame[];
  /**
   * From how many milliseconds on a statement is slow; above 0. Slow ones are counted beside those that failed, over the
   * window and from the number of calls of `trip`, or 10 s and 10 calls. A server that is asked for too much is slow: with
   * this rule its circuit opens, and everybody is refused. @default false: none is slow
   */
  readonly slowCallMs?: number | false;
  /** Share of slow statements at which it opens; above 0, at most 1. Only with `slowCallMs`. @default 1 */
  readonly slowCallRatio?: number;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

/** A trip with every default filled in. */
export type CheckedTrip =
  | { readonly kind: "consecutive"; readonly failures: number }
  | { readonly kind: "count"; readonly failureRatio: number; readonly minimumCalls: number; readonly size: number }
  | {
      readonly kind: "sampling";
      readonly failureRatio: number;
      readonly minimumCalls: number;
      readonly windowMs: number;
    };

/** Options with every default filled in. */
export interface CheckedCircuitBreakerOptions {
  readonly trip: CheckedTrip;
  readonly breakMs: number;
  readonly counts: readonly string[];
  readonly slowCallMs: number | false;
  readonly slowCallRatio: number;
  readonly clock: Clock;
}

/** What may be changed while it works. */
export const ADJUSTABLE = ["trip", "breakMs", "counts", "slowCallMs", "slowCallRatio"] as const;

/** @throws OptionError when an option is unknown or out of range. */
export function checkCircuitBreakerOptions(options: CircuitBreakerOptions): CheckedCircuitBreakerOptions {
  const {
    trip = { kind: "consecutive" },
    breakMs = 1000,
    counts = ["node"],
    slowCallMs = false,
    slowCallRatio = 1,
    clock = systemClock,
  } = knownOptions("circuitBreaker", options, [...ADJUSTABLE, "clock"]);
  if (!Array.isArray(counts) || counts.length === 0) {
    throw new OptionError("circuitBreaker.counts", counts, 'an array of "node" and "load"');
  }
  for (const blame of counts) oneOf("circuitBreaker.counts", blame, ["node", "load"]);
  if (typeof clock?.setTimer !== "function") throw new OptionError("circuitBreaker.clock", clock, "a clock");
  return {
    trip: checkTrip(trip),
    breakMs: positiveMs("circuitBreaker.breakMs", breakMs),
    counts: [...counts],
    slowCallMs: slowCallMs === false ? false : positiveMs("circuitBreaker.slowCallMs", slowCallMs),
    slowCallRatio: ratio("circuitBreaker.slowCallRatio", slowCallRatio),
    clock,
  };
}

const OWNER = "circuitBreaker.trip";

function checkTrip(trip: TripOptions): CheckedTrip {
  if (typeof trip !== "object" || trip === null) throw new OptionError(OWNER, trip, "an object of options");
  oneOf(`${OWNER}.kind`, trip.kind, ["consecutive", "count", "sampling"]);
  if (trip.kind === "consecutive") {
    const { kind, failures = 5 } = knownOptions(OWNER, trip, ["kind", "failures"]);
    return { kind, failures: positiveInteger(`${OWNER}.failures`, failures) };
  }
  if (trip.kind === "count") {
    const {
      kind,
      failureRatio = 0.5,
      size = 100,
    } = knownOptions(OWNER, trip, ["kind", "failureRatio", "minimumCalls", "size"]);
    // Each of them has a place in an array.
    if (positiveInteger(`${OWNER}.size`, size) > 100_000)
      throw new OptionError(`${OWNER}.size`, size, "at most 100000");
    const { minimumCalls = Math.min(10, size) } = trip;
    if (positiveInteger(`${OWNER}.minimumCalls`, minimumCalls) > size) {
      throw new OptionError(`${OWNER}.minimumCalls`, minimumCalls, `at most ${OWNER}.size (${size})`);
    }
    return { kind, failureRatio: ratio(`${OWNER}.failureRatio`, failureRatio), minimumCalls, size };
  }
  const {
    kind,
    failureRatio = 0.5,
    minimumCalls = 10,
    windowMs = 10_000,
  } = knownOptions(OWNER, trip, ["kind", "failureRatio", "minimumCalls", "windowMs"]);
  return {
    kind,
    failureRatio: ratio(`${OWNER}.failureRatio`, failureRatio),
    minimumCalls: positiveInteger(`${OWNER}.minimumCalls`, minimumCalls),
    windowMs: positiveMs(`${OWNER}.windowMs`, windowMs),
  };
}
