/**
 * How long calls usually take: who has less time left than that will hardly be answered. Pure.
 */

/** By what share of itself the value moves for one call. */
const STEP = 0.1;
/** Calls before anything is told. */
const FEW = 20;
/** What has come to nothing must be able to grow again; in milliseconds. */
const LEAST_MS = 0.01;

/**
 * A median that follows its samples, in one number: each moves it a little towards itself (Q. Ma, S. Muthukrishnan and
 * M. Sandler, "Frugal Streaming for Estimating Quantiles", 2013, with steps in proportion).
 */
export class UsualTime {
  #ms = 0;
  #count = 0;

  /** In milliseconds; 0 while too little is known. */
  get ms(): number {
    return this.#count < FEW ? 0 : this.#ms;
  }

  sample(ms: number): void {
    if (this.#count === 0) this.#ms = ms;
    if (this.#count < FEW) this.#count++;
    const step = (STEP / 2) * Math.max(this.#ms, LEAST_MS);
    this.#ms = ms > this.#ms ? Math.min(ms, this.#ms + step) : Math.max(ms, this.#ms - step);
  }
}
