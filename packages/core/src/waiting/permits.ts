/**
 * A counted right to go on, with a fair queue. Taking, giving back and leaving the queue cost the same however many wait.
 */
import { Chain, type Linked } from "./chain.ts";

/** Someone who waits. */
interface Waiter extends Linked<Waiter> {
  readonly admit: () => void;
  readonly refuse: (reason: unknown) => void;
  waits: boolean;
}

/** A number of permits and the queue of those who wait for one, served in the order of their coming. */
export class Permits {
  #max: number;
  #taken = 0;
  readonly #waiting = new Chain<Waiter>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Permits that are held. */
  get taken(): number {
    return this.#taken;
  }

  /** Callers that wait for one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Permits that there are. */
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
    const waiter: Waiter = { admit, refuse, waits: true, before: undefined, after: undefined };
    this.#waiting.push(waiter);
    return () => {
      if (!waiter.waits) return;
      waiter.waits = false;
      this.#waiting.remove(waiter);
    };
  }

  /** Gives one back. */
  release(): void {
    this.#taken -= 1;
    this.#serve();
  }

  /** Sends everybody away who waits. */
  refuseAll(reason: unknown): void {
    const waiters: Waiter[] = [];
    for (let next = this.#next(); next !== undefined; next = this.#next()) waiters.push(next);
    for (const waiter of waiters) waiter.refuse(reason);
  }

  #serve(): void {
    while (this.#taken < this.#max) {
      const waiter = this.#next();
      if (waiter === undefined) return;
      this.#taken += 1;
      waiter.admit();
    }
  }

  #next(): Waiter | undefined {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) waiter.waits = false;
    return waiter;
  }
}
