/**
 * One destination, and who uses it.
 */
import type { Clock, Events, Operation, Pool } from "@breakwater/core";

export class OpenDestination {
  readonly name: string;
  readonly pool: Pool;
  readonly #clock: Clock | undefined;
  readonly #unforward: () => void;
  #running = 0;
  #calls = 0;
  #usedMs: number;

  /** Without a clock nobody wants to know when it was last used: there always is such a destination. */
  constructor(name: string, pool: Pool, events: Events, clock?: Clock) {
    this.name = name;
    this.pool = pool;
    this.#clock = clock;
    this.#unforward = pool.events.forwardTo(events);
    this.#usedMs = clock?.now() ?? 0;
  }

  /** Calls that run on it now. */
  get running(): number {
    return this.#running;
  }

  /** Calls that it has been given. */
  get calls(): number {
    return this.#calls;
  }

  /** When it was last used, in milliseconds of the clock: now, while it is. */
  get usedMs(): number {
    return this.#running > 0 ? (this.#clock?.now() ?? 0) : this.#usedMs;
  }

  /** One more call is on its way to it: from now on it is in use. `run` must follow. */
  begin(): void {
    this.#running += 1;
    this.#calls += 1;
  }

  /** Runs a call for which it was begun. */
  run<T>(operation: Operation<T>): Promise<T> {
    try {
      const ended = this.pool.execute(operation);
      ended.then(this.#end, this.#end);
      return ended;
    } catch (error) {
      // A pool of somebody else's may throw before it has a promise.
      this.#end();
      throw error;
    }
  }

  // Made once, so that a call makes none.
  readonly #end = (): void => {
    this.#running -= 1;
    if (this.#running === 0 && this.#clock !== undefined) this.#usedMs = this.#clock.now();
  };

  /** Closes it; what it says until then is still passed on. */
  async close(...options: Parameters<Pool["close"]>): Promise<void> {
    try {
      await this.pool.close(...options);
    } finally {
      this.#unforward();
    }
  }
}
