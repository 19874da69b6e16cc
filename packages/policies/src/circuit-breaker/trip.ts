/**
 * When a closed circuit opens. The counting is cockatiel's, and this is the only file that imports it.
 *
 * Of cockatiel only the strategies are used. Its policy around them reads `Date.now`, lets calls wait for the outcome of a
 * trial instead of refusing them, takes an aborted trial for a success, and costs a call some 100 ns. Its sampling strategy
 * is replaced by one on our clock: besides `Date.now`, after a silence it still counts what is long out of the window.
 */
import { CircuitState, ConsecutiveBreaker, CountBreaker, type IBreaker } from "cockatiel";
import type { Clock } from "@breakwater/core";
import { SlidingCount } from "../budget/sliding-count.ts";
import type { CheckedTrip } from "./options.ts";

/** Counts outcomes. */
export interface Trip {
  success(): void;
  /** Counts a failure; true when the circuit is to open. */
  failure(): boolean;
  /** Forgets everything: the circuit has closed. */
  reset(): void;
  /** What is counted now. */
  counts(): { readonly failures: number; readonly successes?: number };
}

/** The strategies open above a ratio; here it is the ratio at which to open. */
const JUST_BELOW = 1 - 1e-9;

/** Makes the counting for a rule. It goes on from what one of the same kind, and over the same calls, has counted. */
export function makeTrip(trip: CheckedTrip, clock: Clock, before?: Trip): Trip {
  if (trip.kind === "sampling") return new Sampling(trip, clock, before instanceof Sampling ? before : undefined);
  const { breaker: last } = before instanceof Counting ? before : {};
  if (trip.kind === "consecutive") {
    const breaker = new ConsecutiveBreaker(trip.failures);
    if (last instanceof ConsecutiveBreaker) breaker.state = last.state;
    return new Counting(breaker, () => ({ failures: breaker.state }));
  }
  const { failureRatio, minimumCalls: minimumNumberOfCalls, size } = trip;
  const breaker = new CountBreaker({ threshold: failureRatio * JUST_BELOW, size, minimumNumberOfCalls });
  if (last instanceof CountBreaker && (last.state as { samples: unknown[] }).samples.length === size)
    breaker.state = last.state;
  return new Counting(breaker, () => {
    const { failures, successes } = breaker.state as { failures: number; successes: number };
    return { failures, successes };
  });
}

/** Opens as one of the strategies says. */
class Counting implements Trip {
  readonly breaker: IBreaker;
  readonly counts: Trip["counts"];

  constructor(breaker: IBreaker, counts: Trip["counts"]) {
    this.breaker = breaker;
    this.counts = counts;
  }

  success(): void {
    this.breaker.success(CircuitState.Closed);
  }

  failure(): boolean {
    return this.breaker.failure(CircuitState.Closed);
  }

  reset(): void {
    // A success while half-open is how the strategies are told that the circuit closes.
    this.breaker.success(CircuitState.HalfOpen);
  }
}

/** Opens at a share of failures among the calls of a window of time. */
class Sampling implements Trip {
  readonly #trip: Extract<CheckedTrip, { kind: "sampling" }>;
  readonly #clock: Clock;
  readonly #failures: SlidingCount;
  readonly #successes: SlidingCount;

  constructor(trip: Extract<CheckedTrip, { kind: "sampling" }>, clock: Clock, before: Sampling | undefined) {
    this.#trip = trip;
    this.#clock = clock;
    const same = before !== undefined && before.#trip.windowMs === trip.windowMs ? before : undefined;
    this.#failures = same === undefined ? new SlidingCount(trip.windowMs, clock.now()) : same.#failures;
    this.#successes = same === undefined ? new SlidingCount(trip.windowMs, clock.now()) : same.#successes;
  }

  success(): void {
    this.#successes.add(1, this.#clock.now());
  }

  failure(): boolean {
    this.#failures.add(1, this.#clock.now());
    const { failures, successes } = this.counts();
    const total = failures + successes;
    return total >= this.#trip.minimumCalls && failures >= this.#trip.failureRatio * JUST_BELOW * total;
  }

  reset(): void {
    this.#failures.clear();
    this.#successes.clear();
  }

  counts(): { readonly failures: number; readonly successes: number } {
    const nowMs = this.#clock.now();
    return { failures: this.#failures.total(nowMs), successes: this.#successes.total(nowMs) };
  }
}
