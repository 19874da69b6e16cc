/**
 * How many calls at a time a node can serve, found from their latency. Pure: knows no time.
 *
 * The rule is Gradient2 of Netflix's concurrency-limits (`com.netflix.concurrency.limits.limit.Gradient2Limit`), fed with
 * means over windows as its `WindowedLimit` does: the ratio of the usual latency to the latest one says how much of the
 * latter is waiting in the server, and the limit is multiplied by it.
 *
 * Different from there: its usual latency follows every sample, so that after some minutes of overload waiting is what is
 * usual and the limit has grown without bound. Here a limit that is used leaves the usual latency as it is, unless it is
 * lower; it is taken anew when the limit has been halved and the latency has not come down with it: then the server itself
 * is slower, and a low limit would only waste it.
 */

/** Latency may be so many times the usual one before the limit falls. */
export const TOLERANCE = 1.5;
/** Share of a new value in the limit: single windows do not make it jump. */
const SMOOTHING = 0.2;
/** What a failure that blames load leaves of the limit (`AIMDLimit` of the same library). */
const BACKOFF = 0.9;
/** Share of a window in the usual latency: when it is lower, and when it is higher with few calls. */
const FALLS = 0.2;
const FOLLOWS = 0.02;

/** The bounds of a limit. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

export class Estimate {
  #limit: number;
  /** Latency without waiting, in milliseconds; undefined before the first window. */
  #usualMs: number | undefined;
  /** The limit before it began to fall: up to half of it the way back is short, as TCP's slow start (RFC 5681). */
  #before = 0;
  /** The highest latency since the limit began to fall, and the limit then. */
  #top: { readonly limit: number; readonly latencyMs: number } | undefined;

  constructor(initial: number) {
    this.#limit = initial;
  }

  /** A whole number of calls. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  get usualMs(): number | undefined {
    return this.#usualMs;
  }

  /** Learns from one window: the mean latency of its calls, and the most that ran at a time. */
  window(latencyMs: number, inFlight: number, bounds: Bounds): void {
    const usualMs = this.#usualMs ?? latencyMs;
    // Few calls tell of latency, but not whether more would wait: the limit stays.
    const used = inFlight >= this.#limit / 2;
    const share = latencyMs < usualMs ? FALLS : used ? 0 : FOLLOWS;
    this.#usualMs = usualMs + (latencyMs - usualMs) * share;
    if (!used) {
      this.#top = undefined;
      return this.keep(bounds);
    }
    const ratio = latencyMs > 0 ? (TOLERANCE * this.#usualMs) / latencyMs : 1;
    const gradient = Math.max(0.5, Math.min(1, ratio));
    if (gradient === 1) this.#top = undefined;
    else this.#anew(latencyMs);
    if (gradient < 1) this.#falls();
    else if (this.#limit < this.#before / 2) {
      this.#limit = Math.min(2 * this.#limit, this.#before / 2);
      return this.keep(bounds);
    } else if (this.#limit >= this.#before) this.#before = 0;
    // So many may wait: room to find out whether the node can do more.
    const room = Math.max(1, Math.sqrt(this.#limit));
    this.#limit += (this.#limit * gradient + room - this.#limit) * SMOOTHING;
    this.keep(bounds);
  }

  /** A call failed because the server had no room for it or no time. */
  overload(bounds: Bounds): void {
    this.#falls();
    this.#limit *= BACKOFF;
    this.keep(bounds);
  }

  keep({ min, max }: Bounds): void {
    this.#limit = Math.max(min, 1, Math.min(max, this.#limit));
  }

  #falls(): void {
    this.#before = Math.max(this.#before, this.#limit);
  }

  #anew(latencyMs: number): void {
    if (this.#top === undefined || latencyMs > this.#top.latencyMs) this.#top = { limit: this.#limit, latencyMs };
    if (this.#limit > this.#top.limit / 2) return;
    if (latencyMs > 0.75 * this.#top.latencyMs) this.#usualMs = latencyMs;
    this.#top = undefined;
  }
}
