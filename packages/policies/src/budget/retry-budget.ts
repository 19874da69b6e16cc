/**
 * Bounds how much load repeated attempts may add, over all calls that share it.
 *
 * Backoff spreads retries, it does not make them fewer: when everything fails, three retries a call are four times the
 * load, on servers that are failing already. A budget ends that. `retry` has one of its own for each pool; hand one budget
 * to several policies or pools and they share it.
 */
import {
  type Clock,
  knownOptions,
  nonNegativeInteger,
  OptionError,
  positiveMs,
  ratio as checkRatio,
  systemClock,
} from "@breakwater/core";
import { SlidingCount } from "./sliding-count.ts";

/** How many retries a budget allows. */
export interface RetryBudgetOptions {
  /** Retries allowed as a share of the calls within the window; above 0, at most 1. @default 0.2 */
  readonly ratio?: number;
  /** What counts as recent, in milliseconds; above 0. @default 10000 */
  readonly windowMs?: number;
  /** Retries within the window that are allowed however few the calls; a whole number from 0. @default 50 */
  readonly minPerWindow?: number;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

/** One moment of a budget. */
export interface RetryBudgetStats {
  /** Calls within the window. */
  readonly calls: number;
  /** Retries within the window. */
  readonly retries: number;
  /** Retries that would be allowed at this moment. */
  readonly left: number;
  /** Retries refused since the start. */
  readonly refused: number;
}

/** What policies that send a call more than once share. */
export interface RetryBudget {
  /** Counts a call of the caller. Of the policies that a call passes, one counts it: `retry`, where there is one. */
  recordCall(): void;
  /** Asks for one attempt more than the caller asked for, and takes it if there is one left. */
  tryRetry(): boolean;
  /** Calls and retries within the window, and all refusals. */
  stats(): RetryBudgetStats;
}

/** A budget whose limits may be changed while it is in use. */
export interface AdjustableBudget extends RetryBudget {
  /** Changes limits; what was counted stays, and so does a limit that is left out. @throws OptionError when one is out of range. */
  change(limits: Pick<RetryBudgetOptions, "ratio" | "minPerWindow">): void;
}

/** Reading the time costs more than counting, so calls are counted in groups; a group is at most this many. */
const GROUP = 16;

/**
 * Makes a budget: within any window the retries are at most `ratio` of the calls less `minPerWindow`, and never less than
 * `minPerWindow`. The floor is an advance on the share: it is there before a call was made, and is taken off it later, so
 * that over a long time the calls sent are at most `1 + ratio` times the calls offered.
 *
 * The defaults are those of Finagle's `RetryBudget` (20 % of the calls of the last 10 s), with half of its floor (5 instead
 * of 10 a second). The bound holds from 25 calls a second on; a pool with fewer never meets the limit in practice.
 * @throws OptionError when an option is unknown or out of range.
 */
export function retryBudget(options: RetryBudgetOptions = {}): AdjustableBudget {
  knownOptions("retryBudget", options, ["ratio", "windowMs", "minPerWindow", "clock"]);
  const { windowMs = 10_000, clock = systemClock } = options;
  let { ratio, minPerWindow } = checkLimits(options, DEFAULTS);
  positiveMs("retryBudget.windowMs", windowMs);
  if (typeof clock?.setTimer !== "function") throw new OptionError("retryBudget.clock", clock, "a clock");

  const calls = new SlidingCount(windowMs, clock.now());
  const retries = new SlidingCount(windowMs, clock.now());
  let uncounted = 0;
  let refused = 0;

  const left = (nowMs: number): number => {
    calls.add(uncounted, nowMs);
    uncounted = 0;
    return Math.max(minPerWindow, Math.floor(ratio * calls.total(nowMs)) - minPerWindow) - retries.total(nowMs);
  };

  return {
    change(limits) {
      knownOptions("retryBudget", limits, ["ratio", "minPerWindow"]);
      ({ ratio, minPerWindow } = checkLimits(limits, { ratio, minPerWindow }));
    },
    recordCall() {
      if (++uncounted < GROUP) return;
      calls.add(uncounted, clock.now());
      uncounted = 0;
    },
    tryRetry() {
      const nowMs = clock.now();
      if (left(nowMs) < 1) {
        refused++;
        return false;
      }
      retries.add(1, nowMs);
      return true;
    },
    stats() {
      const nowMs = clock.now();
      const free = Math.max(0, left(nowMs));
      return Object.freeze({ calls: calls.total(nowMs), retries: retries.total(nowMs), left: free, refused });
    },
  };
}

interface Limits {
  readonly ratio: number;
  readonly minPerWindow: number;
}

const DEFAULTS: Limits = { ratio: 0.2, minPerWindow: 50 };

function checkLimits(given: RetryBudgetOptions, now: Limits): Limits {
  const { ratio = now.ratio, minPerWindow = now.minPerWindow } = given;
  checkRatio("retryBudget.ratio", ratio);
  return { ratio, minPerWindow: nonNegativeInteger("retryBudget.minPerWindow", minPerWindow) };
}
