/**
 * Calls that wait for a node: each bounded in time, all woken when the topology changes.
 */
import { bounded, type Clock } from "@breakwater/core";

export class WaitingRoom {
  readonly #clock: Clock;
  readonly #waiting = new Set<{ readonly wake: () => void; readonly refuse: (error: Error) => void }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
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
