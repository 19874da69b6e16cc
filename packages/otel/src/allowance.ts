/**
 * So many at once, and then so many a second.
 */
import type { Clock } from "@breakwater/core";

export class Allowance {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #perMs: number;
  #left: number;
  #sinceMs: number;

  constructor(clock: Clock, { most, perSecond }: { readonly most: number; readonly perSecond: number }) {
    this.#clock = clock;
    this.#most = most;
    this.#perMs = perSecond / 1_000;
    this.#left = most;
    this.#sinceMs = clock.now();
  }

  /** Whether there is one left now. */
  has(): boolean {
    const nowMs = this.#clock.now();
    this.#left = Math.min(this.#most, this.#left + Math.max(0, nowMs - this.#sinceMs) * this.#perMs);
    this.#sinceMs = nowMs;
    return this.#left >= 1;
  }

  take(): void {
    this.#left -= 1;
  }
}
