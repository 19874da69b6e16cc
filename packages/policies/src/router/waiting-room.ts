/**
 * Where calls wait for a node that can serve them: bounded in time and in number, woken when the topology changes.
 */
import { bounded, type Clock } from "@breakwater/core";

export class WaitingRoom {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #waiting = new Set<{ readonly wake: () => void; readonly refuse: (error: Error) => void }>();

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.size;
  }

  get full(): boolean {
    return this.#waiting.size >= this.#max;
  }

  /** Waits for the next change. Rejects with `onLimit`'s error when the limit passes, or with the signal's reason. */
  change(limit: number, signal: AbortSignal | undefined, onLimit: () => Error): Promise<void> {
    let leave = (): void => undefined;
    const woken = new Promise<void>((resolve, reject) => {
      const waiter = { wake: resolve, refuse: reject };
      this.#waiting.add(waiter);
      leave = () => void this.#waiting.delete(waiter);
    });
    return bounded(woken, { clock: this.#clock, limit, signal, onLimit }, { left: leave });
  }

  /** Something changed: everybody looks again. */
  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { wake } of waiting) wake();
  }

  refuseAll(error: Error): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { refuse } of waiting) refuse(error);
  }
}
