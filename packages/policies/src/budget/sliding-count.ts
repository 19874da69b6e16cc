/**
 * How often something happened of late, without a timer and without a record of each.
 */

const SLICES = 10;

/**
 * A count over the last `windowMs`, kept in ten slices of the window: what is older than the window is forgotten a tenth
 * of it at a time, so the time covered is between 0.9 and 1 window.
 */
export class SlidingCount {
  readonly #sliceMs: number;
  readonly #slices: number[] = Array.from({ length: SLICES }, () => 0);
  /** Number of the slice that `#head` stands for. The slices behind it, around the ring, are the ones before it. */
  #slice: number;
  #head = 0;
  /** Sum of `#slices`. */
  #total = 0;

  constructor(windowMs: number, nowMs: number) {
    this.#sliceMs = windowMs / SLICES;
    this.#slice = Math.floor(nowMs / this.#sliceMs);
  }

  add(times: number, nowMs: number): void {
    this.#roll(nowMs);
    this.#slices[this.#head]! += times;
    this.#total += times;
  }

  total(nowMs: number): number {
    this.#roll(nowMs);
    return this.#total;
  }

  clear(): void {
    this.#slices.fill(0);
    this.#total = 0;
  }

  #roll(nowMs: number): void {
    const slice = Math.floor(nowMs / this.#sliceMs);
    // After a long silence every slice is old; going round once forgets them all.
    for (let steps = Math.min(slice - this.#slice, SLICES); steps > 0; steps--) {
      this.#head = (this.#head + 1) % SLICES;
      this.#total -= this.#slices[this.#head]!;
      this.#slices[this.#head] = 0;
    }
    if (slice > this.#slice) this.#slice = slice;
  }
}
