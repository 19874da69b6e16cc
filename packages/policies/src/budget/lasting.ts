/**
 * Tells an overload that lasts from a burst, by the calls that are turned away, and what it means for them.
 */
import { failureOf, noteFailure, type Priority } from "@breakwater/core";

/** Calls are turned away again and again. */
export class Lasting {
  readonly #intervalMs: number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** @param intervalMs How long it must go on to last. After as long without any it is over. */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /**
   * Makes of the error of a call that is turned away what it is to be tried again. In a burst, as it says: soon there may be
   * room. When calls have been turned away for longer, only at another node: here it would take the place of a newer call,
   * and an answer would come late. A critical one is always tried again.
   */
  turnedAway<Thrown extends Error>(error: Thrown, priority: Priority, nowMs: number): Thrown {
    if (nowMs - this.#lastMs > this.#intervalMs) this.#sinceMs = nowMs;
    this.#lastMs = nowMs;
    const lasts = nowMs - this.#sinceMs > this.#intervalMs;
    if (lasts && priority !== "critical") noteFailure(error, { ...failureOf(error), maxRetries: 0 });
    return error;
  }
}
