/**
 * Counts calls that were slow, beside those that failed, as resilience4j's circuit breaker does (`slowCallDurationThreshold`
 * and `slowCallRateThreshold`).
 */
import type { Clock, Failure } from "@breakwater/core";
import { SlidingCount } from "../budget/sliding-count.ts";
import type { CheckedCircuitBreakerOptions } from "./options.ts";

const WINDOW_MS = 10_000;
const MINIMUM_CALLS = 10;
/** A ratio worked out with rounding is still that ratio. */
const JUST_BELOW = 1 - 1e-9;

/** What opens a circuit whose calls are slow. */
export const TOO_SLOW: Failure = Object.freeze({
  phase: "running",
  effect: "none",
  retry: "other-node",
  blames: "load",
  connection: "keep",
  reason: "too many calls were slow",
});

export class SlowCalls {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #slow: SlidingCount;
  readonly #all: SlidingCount;
  readonly #minimumCalls: number;

  constructor({ trip, clock }: CheckedCircuitBreakerOptions) {
    this.#clock = clock;
    this.#windowMs = trip.kind === "sampling" ? trip.windowMs : WINDOW_MS;
    this.#minimumCalls = trip.kind === "consecutive" ? MINIMUM_CALLS : trip.minimumCalls;
    this.#slow = new SlidingCount(this.#windowMs, clock.now());
    this.#all = new SlidingCount(this.#windowMs, clock.now());
  }

  /** Counts a call that has just ended; true when the circuit is to open. */
  call(slow: boolean, ratio: number, nowMs: number): boolean {
    this.#all.add(1, nowMs);
    if (!slow) return false;
    this.#slow.add(1, nowMs);
    const all = this.#all.total(nowMs);
    return all >= this.#minimumCalls && this.#slow.total(nowMs) >= ratio * JUST_BELOW * all;
  }

  /** Forgets everything: the circuit has closed. */
  reset(): void {
    this.#slow.clear();
    this.#all.clear();
  }

  /** Slow calls within the window. */
  get count(): number {
    return this.#slow.total(this.#clock.now());
  }
}
