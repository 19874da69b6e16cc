/**
 * How long many things took, in memory that does not grow with them.
 *
 * Log-linear buckets, as in HdrHistogram (Gil Tene, https://hdrhistogram.org): each power of two is cut into 32 equal
 * parts, so that every time is known to within 1/32 of itself, or 1 µs where that is more. `createHistogram()` of
 * `node:perf_hooks` would do too, but recording costs six times as much there (26 ns against 4), and what was recorded
 * between two moments cannot be had from it.
 */

/** Powers of two, in each of which there are this many buckets: 2^5. */
const BITS = 5;
const PARTS = 1 << BITS;

/** Buckets hold microseconds in 32 bits: up to 71 minutes. What is longer is counted in the last one. */
const BUCKETS = (32 - BITS + 1) * PARTS;
const MOST_US = 0xffff_ffff;
const US_PER_MS = 1_000;

/** The bucket of a time in whole microseconds. */
function bucketOf(us: number): number {
  const shift = us < PARTS ? 0 : 31 - Math.clz32(us) - BITS;
  return (shift << BITS) + (us >>> shift);
}

/** Where a bucket ends, in milliseconds: all times in it are shorter. */
function endOf(bucket: number): number {
  const shift = Math.max(0, (bucket >>> BITS) - 1);
  return ((bucket - (shift << BITS) + 1) * 2 ** shift) / US_PER_MS;
}

/** Times that were recorded up to one moment, in milliseconds; all 0 while there are none. Immutable, and plain as JSON. */
export class HistogramSnapshot {
  /** How many times were recorded. */
  readonly count: number;
  /** Their mean, in milliseconds; 0 when nothing was recorded. */
  readonly mean: number;
  /** The shortest. */
  readonly min: number;
  /** The longest, exactly. */
  readonly max: number;
  /** Half of them took no longer. */
  readonly p50: number;
  /** Nine in ten took no longer. */
  readonly p90: number;
  /** 99 in a hundred took no longer. */
  readonly p99: number;
  /** 999 in a thousand took no longer. */
  readonly p999: number;
  readonly #sum: number;
  // The filled part of the buckets, and which bucket it begins with.
  readonly #counts: Float64Array;
  readonly #first: number;

  /** For `Histogram`, which makes it; `counts` begins with the bucket `first`, and is not changed any more. */
  constructor(counts: Float64Array, first: number, count: number, sum: number, min: number, max: number) {
    this.#counts = counts;
    this.#first = first;
    this.#sum = sum;
    this.count = count;
    this.mean = count === 0 ? 0 : sum / count;
    this.min = min;
    this.max = max;
    this.p50 = this.percentile(50);
    this.p90 = this.percentile(90);
    this.p99 = this.percentile(99);
    this.p999 = this.percentile(99.9);
    Object.freeze(this);
  }

  /**
   * The time that `percent` of all times did not exceed, by nearest rank; too long by at most 1/32 or 1 µs, never too
   * short. In milliseconds; 0 where nothing was recorded.
   * @throws RangeError when `percent` is not from 0 to 100.
   */
  percentile(percent: number): number {
    if (typeof percent !== "number" || !(percent >= 0 && percent <= 100))
      throw new RangeError(`percent must be from 0 to 100, got ${percent}`);
    // The product may be a hair more than the whole number that it stands for.
    let left = Math.max(1, Math.ceil((percent / 100) * this.count - 1e-9 * this.count));
    for (let index = 0; index < this.#counts.length; index += 1) {
      left -= this.#counts[index] as number;
      if (left > 0) continue;
      const bucket = this.#first + index;
      return bucket === BUCKETS - 1 ? this.max : Math.max(this.min, Math.min(this.max, endOf(bucket)));
    }
    return this.max;
  }

  /** All times of both. */
  plus(other: HistogramSnapshot): HistogramSnapshot {
    if (other.count === 0) return this;
    if (this.count === 0) return other;
    const counts = new Float64Array(BUCKETS);
    this.#add(counts, 1);
    other.#add(counts, 1);
    const [min, max] = [Math.min(this.min, other.min), Math.max(this.max, other.max)];
    return snapshotOf(counts, this.count + other.count, this.#sum + other.#sum, min, max);
  }

  /**
   * The times that were recorded after `earlier`, a snapshot of the same histogram. Their shortest and longest are known
   * as exactly as their percentiles are.
   */
  since(earlier: HistogramSnapshot): HistogramSnapshot {
    // Fewer than before: it is not the same histogram any more, but one that began anew.
    if (earlier.count === 0 || earlier.count > this.count) return this;
    if (earlier.count === this.count) return noTimes;
    const counts = new Float64Array(BUCKETS);
    this.#add(counts, 1);
    earlier.#add(counts, -1);
    const low = counts.findIndex((count) => count > 0);
    const high = counts.findLastIndex((count) => count > 0);
    // Where the extreme of all is in the outermost bucket of these, it may be theirs.
    const min = Math.max(this.min, low === 0 ? 0 : endOf(low - 1));
    const max = high === BUCKETS - 1 ? this.max : Math.min(this.max, endOf(high));
    return snapshotOf(counts, this.count - earlier.count, Math.max(0, this.#sum - earlier.#sum), min, max);
  }

  #add(to: Float64Array, sign: 1 | -1): void {
    for (const [index, count] of this.#counts.entries()) to[this.#first + index]! += sign * count;
  }
}

/** Records times. Recording allocates nothing and costs the same however many there are. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;
  // Kept while nothing new is recorded: statistics are asked for more often than one thinks.
  #snapshot: HistogramSnapshot | undefined = noTimes;

  /** Records a time in milliseconds; what is below 0, or no finite number, is taken for 0. */
  record(ms: number): void {
    const time = ms > 0 && ms < Number.POSITIVE_INFINITY ? ms : 0;
    const us = time * US_PER_MS;
    this.#counts[bucketOf(us < MOST_US ? us >>> 0 : MOST_US)]! += 1;
    this.#count += 1;
    this.#sum += time;
    if (time < this.#min) this.#min = time;
    if (time > this.#max) this.#max = time;
    this.#snapshot = undefined;
  }

  /** What was recorded so far. */
  snapshot(): HistogramSnapshot {
    this.#snapshot ??= snapshotOf(this.#counts, this.#count, this.#sum, this.#min, this.#max);
    return this.#snapshot;
  }
}

function snapshotOf(counts: Float64Array, count: number, sum: number, min: number, max: number): HistogramSnapshot {
  const first = bucketOf(Math.min(MOST_US, Math.floor(min * US_PER_MS)));
  const last = bucketOf(Math.min(MOST_US, Math.floor(max * US_PER_MS)));
  return new HistogramSnapshot(counts.slice(first, last + 1), first, count, sum, min, max);
}

/** Nothing recorded yet. */
export const noTimes: HistogramSnapshot = new HistogramSnapshot(new Float64Array(0), 0, 0, 0, 0, 0);
