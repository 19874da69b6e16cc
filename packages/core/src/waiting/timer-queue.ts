/**
 * Many timers on one of the runtime's. Setting one and taking it back again costs little, which is what becomes of nearly
 * every limit in time.
 *
 * Timers are kept in slots. The further away a timer is the coarser its slot, so that there are few; when a slot begins,
 * its timers move to finer ones, until they are due (the timing wheels of Varghese and Lauck, 1987, without the wheels).
 */
import { AsyncResource } from "node:async_hooks";
import type { Timer } from "./clock.ts";

const MAX_TIMER_MS = 2_147_483_647;

// The runtime's timer is set for all: in nobody's context.
const nobody = new AsyncResource("breakwater-limits");

/** A slot is at most this share of the time that is left to its timers, rounded down to a power of two. */
const SHARE = 16;

/** Timers that are looked at together. A ring: the slot is the first and the last of them. */
interface Link {
  before: Link;
  after: Link;
}

class Slot implements Link {
  before: Link = this;
  after: Link = this;
  /** When it is looked at. */
  readonly at: number;

  constructor(at: number) {
    this.at = at;
  }

  get empty(): boolean {
    return this.after === this;
  }
}

class QueuedTimer implements Timer, Link {
  // Itself when it is in no slot: it is over.
  before: Link = this;
  after: Link = this;
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
  readonly #queue: TimerQueue;

  constructor(queue: TimerQueue, due: number, order: number, run: () => void) {
    this.#queue = queue;
    this.due = due;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    if (this.after === this) return;
    unlink(this);
    this.#queue.ended();
  }
}

export class TimerQueue {
  readonly #now: () => number;
  readonly #slots = new Map<number, Slot>();
  // The runtime's timer, and when it rings.
  #alarm: NodeJS.Timeout | undefined;
  #alarmAt = Number.POSITIVE_INFINITY;
  // Timers that are set. While there are any, they keep the process alive.
  #count = 0;
  #orders = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  set(ms: number, run: () => void): Timer {
    const now = this.#now();
    // A value that is no number is no wait, as with the runtime's own timers.
    const wait = ms > 0 ? Math.min(ms, MAX_TIMER_MS) : 0;
    const timer = new QueuedTimer(this, now + wait, (this.#orders += 1), run);
    this.#put(timer, now);
    if ((this.#count += 1) === 1) this.#alarm?.ref();
    return timer;
  }

  /** A timer is over. For timers. */
  ended(): void {
    if ((this.#count -= 1) === 0) this.#alarm?.unref();
  }

  #put(timer: QueuedTimer, now: number): void {
    const at = slotOf(timer.due, now);
    let slot = this.#slots.get(at);
    if (slot === undefined) {
      slot = new Slot(at);
      this.#slots.set(at, slot);
      if (at < this.#alarmAt) this.#setAlarm(at, now);
    }
    timer.before = slot.before;
    timer.after = slot;
    slot.before.after = timer;
    slot.before = timer;
  }

  #setAlarm(at: number, now: number): void {
    clearTimeout(this.#alarm);
    this.#alarmAt = at;
    this.#alarm = nobody.runInAsyncScope(() => setTimeout(this.#ring, Math.max(0, Math.ceil(at - now))));
    if (this.#count === 0) this.#alarm.unref();
  }

  readonly #ring = (): void => {
    const now = this.#now();
    this.#alarm = undefined;
    this.#alarmAt = Number.POSITIVE_INFINITY;
    const due: QueuedTimer[] = [];
    const moved: QueuedTimer[] = [];
    for (const slot of this.#slots.values()) {
      if (slot.at > now && !slot.empty) continue;
      this.#slots.delete(slot.at);
      while (slot.after !== slot) {
        const timer = slot.after as QueuedTimer;
        unlink(timer);
        (timer.due <= now ? due : moved).push(timer);
      }
    }
    for (const timer of moved) this.#put(timer, now);
    this.#rearm(now);
    due.sort((a, b) => a.due - b.due || a.order - b.order);
    this.#runAll(due);
  };

  #rearm(now: number): void {
    let next = Number.POSITIVE_INFINITY;
    for (const { at } of this.#slots.values()) if (at < next) next = at;
    if (next < this.#alarmAt) this.#setAlarm(next, now);
  }

  /** Runs what is due. One that throws is the process's matter, as with any timer; the others run nevertheless. */
  #runAll(due: readonly QueuedTimer[]): void {
    for (const timer of due) this.#hold(timer);
    for (const timer of due) {
      // One that ran before may have taken it back.
      if (timer.after === timer) continue;
      timer.cancel();
      try {
        timer.run();
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Lets a timer that is about to run be taken back until it does. */
  #hold(timer: QueuedTimer): void {
    const turn = new Slot(timer.due);
    timer.before = timer.after = turn;
    turn.before = turn.after = timer;
  }
}

function unlink(link: Link): void {
  link.before.after = link.after;
  link.after.before = link.before;
  link.before = link.after = link;
}

/** When to look at a timer that is due then: at most a sixteenth of the wait too early. */
function slotOf(due: number, now: number): number {
  const share = (due - now) / SHARE;
  if (share < 1) return Math.ceil(due);
  const size = 2 ** Math.floor(Math.log2(share));
  return Math.floor(due / size) * size;
}
