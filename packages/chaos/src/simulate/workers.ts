/**
 * The processors of one server: so many statements run at a time, the others wait in the order of their coming.
 */
import type { VirtualClock } from "./virtual-clock.ts";

interface Job {
  readonly ms: number;
  readonly run: () => void;
}

export class Workers {
  readonly #clock: VirtualClock;
  readonly #count: number;
  #busy = 0;
  #waiting: Job[] = [];
  #head = 0;
  // What began in an earlier life of the server never ends.
  #life = 0;

  constructor(clock: VirtualClock, count: number) {
    this.#clock = clock;
    this.#count = count;
  }

  /** Jobs that wait. */
  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** Calls `run` when a worker has spent so many milliseconds on it. */
  serve(ms: number, run: () => void): void {
    if (this.#busy < this.#count) this.#begin({ ms, run });
    else this.#waiting.push({ ms, run });
  }

  /** Everything that waits or runs is gone. */
  clear(): void {
    this.#life += 1;
    this.#busy = 0;
    this.#waiting = [];
    this.#head = 0;
  }

  #begin({ ms, run }: Job): void {
    const life = this.#life;
    this.#busy += 1;
    this.#clock.setTimer(ms, () => {
      if (life !== this.#life) return;
      this.#busy -= 1;
      const next = this.#waiting[this.#head];
      if (next !== undefined) {
        this.#head += 1;
        if (this.#head > 1_000 && this.#head * 2 > this.#waiting.length) {
          this.#waiting = this.#waiting.slice(this.#head);
          this.#head = 0;
        }
        this.#begin(next);
      }
      run();
    });
  }
}
