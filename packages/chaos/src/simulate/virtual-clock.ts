/**
 * Time that jumps from one event to the next.
 *
 * Timers stand in a binary heap. Most of them are cancelled before they are due (deadlines, mostly), so a cancelled one stays
 * where it is until the dead outnumber the living; then they are all swept out at once.
 */
import type { Clock, Timer } from "@breakwater/core";

class VirtualTimer implements Timer {
  readonly due: number;
  readonly order: number;
  readonly #cancelled: () => void;
  run: (() => void) | undefined;

  constructor(due: number, order: number, run: () => void, cancelled: () => void) {
    this.due = due;
    this.order = order;
    this.run = run;
    this.#cancelled = cancelled;
  }

  cancel(): void {
    if (this.run === undefined) return;
    this.run = undefined;
    this.#cancelled();
  }
}

/** Below this many dead timers a sweep is not worth it. */
const FEW = 64;

/** The clock of one simulation. Events of the same moment happen in the order in which they were asked for. */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  #dead = 0;
  #heap: VirtualTimer[] = [];
  // A run that never gets out of one moment is stuck.
  #inMoment = 0;
  /** Events that have happened. */
  events = 0;
  readonly #cancelled = (): void => {
    this.#dead += 1;
    if (this.#dead > FEW && this.#dead * 2 > this.#heap.length) this.#sweep();
  };

  now(): number {
    return this.#now;
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#heap.length - this.#dead;
  }

  /** Events that have happened without any time passing. */
  get inMoment(): number {
    return this.#inMoment;
  }

  setTimer(ms: number, run: () => void): Timer {
    const due = this.#now + (ms > 0 ? ms : 0);
    const timer = new VirtualTimer(due, this.#order++, run, this.#cancelled);
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return timer;
  }

  /** Goes to the next event and gives what is to be done then; undefined when nothing is to come. */
  next(): (() => void) | undefined {
    for (;;) {
      const timer = this.#take();
      if (timer === undefined) return undefined;
      const { run, due } = timer;
      if (run === undefined) {
        this.#dead -= 1;
        continue;
      }
      // It has run: a cancel that comes now is none.
      timer.run = undefined;
      this.events += 1;
      this.#inMoment = due > this.#now ? 1 : this.#inMoment + 1;
      this.#now = due;
      return run;
    }
  }

  #take(): VirtualTimer | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    this.#heap[0] = last;
    this.#sink(0);
    return first;
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const timer = heap[from] as VirtualTimer;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as VirtualTimer;
      if (before(parent, timer)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = timer;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const timer = heap[from] as VirtualTimer;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      const right = below + 1;
      if (right < heap.length && before(heap[right] as VirtualTimer, heap[below] as VirtualTimer)) below = right;
      const child = heap[below] as VirtualTimer;
      if (before(timer, child)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = timer;
  }

  #sweep(): void {
    this.#heap = this.#heap.filter(({ run }) => run !== undefined);
    this.#dead = 0;
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at -= 1) this.#sink(at);
  }
}

function before(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

/** The clock as one simulated process sees it: the same time, and a count of the timers that the process has set. */
export class ProcessClock implements Clock {
  readonly #clock: VirtualClock;
  /** Timers that are set and have neither run nor been cancelled. */
  pending = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  setTimer(ms: number, run: () => void): Timer {
    this.pending += 1;
    let set = true;
    const timer = this.#clock.setTimer(ms, () => {
      set = false;
      this.pending -= 1;
      run();
    });
    return {
      cancel: () => {
        if (!set) return;
        set = false;
        this.pending -= 1;
        timer.cancel();
      },
    };
  }
}
