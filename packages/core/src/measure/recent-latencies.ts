/**
 * How long calls took of late: a percentile of them, in little memory and without a record of each.
 */

/** Each power of two of microseconds is cut into 2^3 equal parts, so that a time is known to within 1/8 of itself. */
const BITS = 3;
const BUCKETS = (32 - BITS + 1) << BITS;
const MOST_US = 0xffff_ffff;
/** When so many calls are remembered, each counts half from then on. */
const FULL = 1_000;
/** When so much time has passed, each counts half from then on, in milliseconds. */
const HALF_LIFE_MS = 10_000;

function bucketOf(ms: number): number {
  const us = Math.min(MOST_US, Math.max(0, ms * 1_000)) >>> 0;
  const shift = us < 1 << BITS ? 0 : 31 - Math.clz32(us) - BITS;
  return (shift << BITS) + (us >>> shift);
}

/** Where a bucket ends, in milliseconds. */
function endOf(bucket: number): number {
  const shift = Math.max(0, (bucket >>> BITS) - 1);
  return ((bucket - (shift << BITS) + 1) * 2 ** shift) / 1_000;
}

/** Latencies of which the younger count more. */
export class RecentLatencies {
  readonly #weights = new Float32Array(BUCKETS);
  #total = 0;
  #agedAtMs: number;

  constructor(nowMs: number) {
    this.#agedAtMs = nowMs;
  }

  /** How many calls are remembered; older ones count for less than one. */
  get count(): number {
    return this.#total;
  }

  /** Notes a time, in milliseconds, and when it was measured. */
  record(ms: number, nowMs: number): void {
    const halvings = Math.floor((nowMs - this.#agedAtMs) / HALF_LIFE_MS);
    if (halvings > 0) {
      this.#age(0.5 ** halvings);
      this.#agedAtMs += halvings * HALF_LIFE_MS;
    }
    if (this.#total >= FULL) this.#age(0.5);
    this.#weights[bucketOf(ms)]! += 1;
    this.#total += 1;
  }

  /** What that share of the calls did not exceed, in milliseconds, too long by at most an eighth; 0 when there are none. */
  percentile(share: number): number {
    let left = share * this.#total;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      left -= this.#weights[bucket]!;
      if (left <= 0 && this.#weights[bucket]! > 0) return endOf(bucket);
    }
    return 0;
  }

  /** Forgets everything. */
  clear(): void {
    this.#weights.fill(0);
    this.#total = 0;
  }

  #age(factor: number): void {
    let total = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      // What is next to nothing is nothing: a bucket that is never empty would be the percentile of a silent pool.
      const weight = this.#weights[bucket]! * factor;
      this.#weights[bucket] = weight < 0.01 ? 0 : weight;
      total += this.#weights[bucket]!;
    }
    this.#total = total;
  }
}
