/**
 * Tells a queue that stands from one that only takes up a burst. Pure.
 *
 * The rule is CoDel's (RFC 8289): what tells is the least wait of an interval, which a burst brings back to nothing and an
 * overload does not. What follows from it is not: RFC 8289 drops slowly at first, for senders who then slow down, and
 * callers of a database do not. So it is done as in Facebook's servers (folly's `Codel`; B. Maurer, "Fail at Scale", ACM
 * Queue 13 (8), 2015): while the queue stands, whoever has waited twice the target is dropped.
 */
export class StandingQueue {
  readonly #targetMs: number;
  readonly #intervalMs: number;
  #endsAtMs = Number.NEGATIVE_INFINITY;
  /** Least wait of this interval. */
  #leastMs = 0;
  #passes = 0;
  #stands = false;

  constructor(targetMs: number, intervalMs: number) {
    this.#targetMs = targetMs;
    this.#intervalMs = intervalMs;
  }

  /** Whether the last whole interval's least wait was above the target. */
  get stands(): boolean {
    return this.#stands;
  }

  /**
   * Someone is served after a wait; true when it is to be dropped instead.
   * @param passes How many did not have to wait so far.
   */
  waited(waitMs: number, nowMs: number, passes: number): boolean {
    if (passes !== this.#passes) this.#leastMs = 0;
    this.#passes = passes;
    if (nowMs > this.#endsAtMs) {
      this.#stands = this.#leastMs > this.#targetMs;
      this.#endsAtMs = nowMs + this.#intervalMs;
      this.#leastMs = waitMs;
    } else if (waitMs < this.#leastMs) {
      this.#leastMs = waitMs;
    }
    return this.#stands && waitMs > 2 * this.#targetMs;
  }
}
