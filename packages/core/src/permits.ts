/**
 * A counted right to go on, with a fair queue. Taking, giving back and leaving the queue cost the same however many wait.
 */

/** Someone who waits. */
interface Waiter {
  readonly admit: () => void;
  readonly refuse: (reason: unknown) => void;
}

/** A number of permits and the queue of those who wait for one, served in the order of their coming. */
export class Permits {
  #max: number;
  #taken = 0;
  // A Set keeps the order of insertion and forgets a waiter in constant time.
  readonly #waiting = new Set<Waiter>();

  constructor(max: number) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get max(): number {
    return this.#max;
  }

  /** Changes how many there are; those who hold one keep it. */
  resize(max: number): void {
    this.#max = max;
    this.#serve();
  }

  /** Takes a permit if one is free and nobody came before. */
  tryTake(): boolean {
    if (this.#taken >= this.#max || this.#waiting.size > 0) return false;
    this.#taken += 1;
    return true;
  }

  /** Queues for a permit. Exactly one of the two functions is called, once, unless the returned function was called before. */
  wait(admit: () => void, refuse: (reason: unknown) => void): () => void {
    const waiter: Waiter = { admit, refuse };
    this.#waiting.add(waiter);
    return () => void this.#waiting.delete(waiter);
  }

  /** Gives one back. */
  release(): void {
    this.#taken -= 1;
    this.#serve();
  }

  /** Sends everybody away who waits. */
  refuseAll(reason: unknown): void {
    const waiters = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiters) waiter.refuse(reason);
  }

  #serve(): void {
    for (const waiter of this.#waiting) {
      if (this.#taken >= this.#max) return;
      this.#waiting.delete(waiter);
      this.#taken += 1;
      waiter.admit();
    }
  }
}
