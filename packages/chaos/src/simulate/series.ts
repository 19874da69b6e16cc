/** Numbers over time, for plots. */

/** One stretch of time. */
export interface SeriesPoint {
  /** When it begins, in milliseconds of virtual time. */
  readonly atMs: number;
  /** Calls that began in it. */
  readonly offered: number;
  /** Calls that were answered in it, by outcome. */
  readonly ok: number;
  /** Calls whose callers were told that they failed. */
  readonly failed: number;
  /** Calls whose callers were told that the outcome is unknown. */
  readonly unknown: number;
  /** Half of the calls that were answered well took no longer, in milliseconds; undefined when there was none. */
  readonly p50Ms: number | undefined;
  /** The same of 95 in a hundred. */
  readonly p95Ms: number | undefined;
  /** The same of 99 in a hundred. */
  readonly p99Ms: number | undefined;
  /** Attempts to connect that began in it. */
  readonly connects: number;
  /** Operations that began on a connection, probes aside. */
  readonly attempts: number;
  /** Those of `attempts` that were not the first of their call. */
  readonly retries: number;
}

type Counter = "offered" | "ok" | "failed" | "unknown" | "connects" | "attempts" | "retries";

export class Series {
  readonly #stepMs: number;
  readonly #points: SeriesPoint[] = [];
  readonly totals: Record<Counter, number> = empty();
  #counts: Record<Counter, number> = empty();
  #latencies: number[] = [];
  #begin = 0;

  constructor(stepMs: number) {
    this.#stepMs = stepMs;
  }

  count(atMs: number, what: Counter): void {
    if (atMs >= this.#begin + this.#stepMs) this.#turn(atMs);
    this.#counts[what] += 1;
    this.totals[what] += 1;
  }

  answered(atMs: number, latencyMs: number): void {
    this.count(atMs, "ok");
    this.#latencies.push(latencyMs);
  }

  /** Everything up to now. */
  points(): readonly SeriesPoint[] {
    return [...this.#points, this.#point()];
  }

  #turn(atMs: number): void {
    while (atMs >= this.#begin + this.#stepMs) {
      this.#points.push(this.#point());
      this.#counts = empty();
      this.#latencies = [];
      this.#begin += this.#stepMs;
    }
  }

  #point(): SeriesPoint {
    const sorted = Float64Array.from(this.#latencies).toSorted();
    const at = (share: number): number | undefined =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    return { atMs: this.#begin, ...this.#counts, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
  }
}

function empty(): Record<Counter, number> {
  return { offered: 0, ok: 0, failed: 0, unknown: 0, connects: 0, attempts: 0, retries: 0 };
}
