/**
 * All waits and all dice. Whoever waits or draws takes a `Clock` or a `Random`, so that tests and the simulator own both.
 */
import { TimerQueue } from "./timer-queue.ts";

/** A timer that has been set. */
export interface Timer {
  /** Takes it back. Harmless when it has gone off. */
  cancel(): void;
}

/** Source of the time. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Calls `run` once, `ms` milliseconds from now. A timer does not keep the process alive when `background` is true. */
  setTimer(ms: number, run: () => void, background?: boolean): Timer;
  /**
   * The same for limits, which are taken back nearly always: cheaper where that can be, and then without the
   * `AsyncLocalStorage` of whoever set it. @default setTimer
   */
  setLimit?(ms: number, run: () => void): Timer;
}

/** Draws a number from 0, below 1. */
export type Random = () => number;

const MAX_TIMER_MS = 2_147_483_647;

// The global `performance` is looked up by a function of Node's at each use, which takes as long as half a look at the
// clock. Whoever puts a time of their own in its place, as tests do, replaces one of the other two as well.
const { performance: machine, setTimeout: machineTimer, Date: MachineDate } = globalThis;

function now(): number {
  return setTimeout === machineTimer && Date === MachineDate ? machine.now() : performance.now();
}

const limits = new TimerQueue(now);

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now,
  setTimer(ms, run, background = false) {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), MAX_TIMER_MS));
    if (background) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  setLimit: (ms, run) => limits.set(ms, run),
};

/** Sets a limit in time: calls `run` after `ms` milliseconds. */
export function setLimit(clock: Clock, ms: number, run: () => void): Timer {
  return clock.setLimit === undefined ? clock.setTimer(ms, run) : clock.setLimit(ms, run);
}

/**
 * Waits `ms` milliseconds. An abort ends the wait at once: the timer is cancelled and the promise rejects with the
 * signal's reason.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Dice that give the same numbers for the same seed (mulberry32, Tommy Ettinger, public domain). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
