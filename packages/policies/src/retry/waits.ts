/**
 * The waits of one pool between attempts: an abort ends the wait of its call, closing the pool ends them all.
 */
import { type Clock, sleep } from "@breakwater/core";

/** Waits under way. Each leaves nothing behind, however it ends. */
export class Waits {
  readonly #clock: Clock;
  readonly #waiting = new Set<AbortController>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many calls wait now. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Waits; rejects at once with the signal's reason when it is aborted, or with the reason of `end`. */
  async wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    // Not AbortSignal.any: that leaves a trace on each of its sources, and the pool's would live as long as the pool.
    const ended = new AbortController();
    const onAbort = (): void => ended.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(ended);
    try {
      await sleep(this.#clock, ms, ended.signal);
    } finally {
      this.#waiting.delete(ended);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  end(reason: unknown): void {
    for (const waiting of this.#waiting) waiting.abort(reason);
  }
}
