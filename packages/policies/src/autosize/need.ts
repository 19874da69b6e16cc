/**
 * How many connections a pool needs, by what was seen of it at regular looks. Knows no pool and no clock.
 */

/** What is seen of a pool at one moment. */
export interface Look {
  /** Calls that hold a connection. */
  readonly active: number;
  /** Calls that wait for one. */
  readonly waiting: number;
  /** Most connections that there may be. */
  readonly max: number;
}

export interface NeedOptions {
  readonly min: number;
  readonly max: number;
  readonly growAfterMs: number;
  readonly shrinkAfterMs: number;
  readonly cooldownMs: number;
  readonly shrinkBelowRatio: number;
}

export class Need {
  options: NeedOptions;
  // Since when calls have been waiting at every look; undefined when none did at the last.
  #waitingSinceMs: number | undefined;
  // Since when the pool has been larger than it need be, and the most connections in use since then.
  #idleSinceMs: number | undefined;
  #peak = 0;
  #changedMs = Number.NEGATIVE_INFINITY;

  constructor(options: NeedOptions) {
    this.options = options;
  }

  /**
   * The size that the pool should have, which is mostly the one it has.
   *
   * It grows by as many as wait, at most to twice its size, and shrinks to where its busiest moment of late would fill
   * three quarters, at most by half. Between the full pool that grows it and the share that shrinks it lies a wide band in
   * which nothing happens, so that it does not swing.
   */
  size({ active, waiting, max }: Look, nowMs: number): number {
    const { min, growAfterMs, shrinkAfterMs, cooldownMs, shrinkBelowRatio } = this.options;
    this.#waitingSinceMs = waiting > 0 && active >= max ? (this.#waitingSinceMs ?? nowMs) : undefined;
    if (waiting > 0 || active > max * shrinkBelowRatio) this.#idleSinceMs = undefined;
    else if (this.#idleSinceMs === undefined) {
      this.#idleSinceMs = nowMs;
      this.#peak = active;
    } else this.#peak = Math.max(this.#peak, active);
    if (nowMs - this.#changedMs < cooldownMs) return max;
    if (this.#waitingSinceMs !== undefined && nowMs - this.#waitingSinceMs >= growAfterMs)
      return Math.max(max, Math.min(this.options.max, max + Math.min(waiting, max)));
    if (this.#idleSinceMs !== undefined && nowMs - this.#idleSinceMs >= shrinkAfterMs)
      return Math.min(max, Math.max(min, Math.ceil(this.#peak / FILLED), Math.ceil(max / 2)));
    return max;
  }

  /** The pool has got another size: what was seen of the old one says nothing about it. */
  changed(nowMs: number): void {
    this.#changedMs = nowMs;
    this.#waitingSinceMs = undefined;
    this.#idleSinceMs = undefined;
  }
}

/** How full the busiest moment of late would make a pool that was shrunk for it. */
const FILLED = 0.75;
