/**
 * Time that moves only when it is told to.
 */
import type { Clock, Timer } from "../waiting/clock.ts";

interface Waiting {
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock for tests. Timers run in the order in which they are due, each followed by all the promises that it settles. */
export class ManualClock implements Clock {
  #now: number;
  #order = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  setTimer(ms: number, run: () => void): Timer {
    const timer: Waiting = { due: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#waiting.add(timer);
    return { cancel: () => void this.#waiting.delete(timer) };
  }

  /** How many timers are set; 0 when nothing was left behind. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Lets the time pass, and everything happen that is due in it. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#waiting.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.run();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Waiting | undefined {
    let next: Waiting | undefined;
    for (const timer of this.#waiting) {
      if (timer.due > end) continue;
      if (next === undefined || timer.due < next.due || (timer.due === next.due && timer.order < next.order))
        next = timer;
    }
    return next;
  }
}

/** Lets every promise that can settle do so: a turn of the event loop runs all microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
