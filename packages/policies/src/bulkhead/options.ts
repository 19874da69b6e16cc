/**
 * What may be said to `bulkhead`, and the check of it.
 */
import {
  type Clock,
  flag,
  knownOptions,
  nonNegativeInteger,
  oneOf,
  type Operation,
  OptionError,
  positiveInteger,
  positiveMs,
  systemClock,
} from "@breakwater/core";

/**
 * Who is next among those of one priority. `fifo`: who came first. `lifo-under-load`: the same, but who came last while
 * the queue stands. `codel`: who came first, and while the queue stands, who has waited twice `targetMs` is dropped.
 */
export type QueueOrder = "fifo" | "lifo-under-load" | "codel";

/** The limits of a bulkhead, which may be changed while it works. */
export interface BulkheadLimits {
  /** Calls that run at the same time; a whole number from 1. @default the pool's `stats().max` */
  readonly maxConcurrent?: number;
  /** Calls that wait at the same time; a whole number from 0. @default 1000 */
  readonly maxQueued?: number;
  /** Longest wait of one call, in milliseconds; above 0. A nearer deadline ends it sooner. @default 1000 */
  readonly maxWaitMs?: number;
  /** Who is next. @default "lifo-under-load" */
  readonly order?: QueueOrder;
}

export interface BulkheadOptions extends BulkheadLimits {
  /** Serves critical calls before normal and sheddable ones, and sheds from the bottom. @default true */
  readonly priorities?: boolean;
  /**
   * Names the tenant of a call: tenants with waiting calls take turns, however many calls each has. Asked only of calls
   * that have to wait. @default all are one
   */
  readonly fairBy?: (operation: Operation<unknown>) => string | undefined;
  /** Least wait above which a queue is said to stand, in milliseconds; above 0. @default 5 */
  readonly targetMs?: number;
  /** How long the least wait must be above the target, in milliseconds; above 0. @default 100 */
  readonly intervalMs?: number;
  /** Source of the time; the same as the stack's, whose deadlines are compared with it. @default systemClock */
  readonly clock?: Clock;
}

/** Options with every default filled in but `maxConcurrent`, which is the pool's. */
export interface CheckedBulkheadOptions {
  readonly limits: CheckedLimits;
  readonly priorities: boolean;
  readonly fairBy: ((operation: Operation<unknown>) => string | undefined) | undefined;
  readonly targetMs: number;
  readonly intervalMs: number;
  readonly clock: Clock;
}

export interface CheckedLimits {
  readonly maxConcurrent: number | undefined;
  readonly maxQueued: number;
  readonly maxWaitMs: number;
  readonly order: QueueOrder;
}

const LIMITS = ["maxConcurrent", "maxQueued", "maxWaitMs", "order"] as const;
const DEFAULTS: CheckedLimits = {
  maxConcurrent: undefined,
  maxQueued: 1000,
  maxWaitMs: 1000,
  order: "lifo-under-load",
};

/** @throws OptionError when an option is unknown or out of range. */
export function checkBulkheadOptions(options: BulkheadOptions): CheckedBulkheadOptions {
  const known = knownOptions("bulkhead", options, [
    ...LIMITS,
    "priorities",
    "fairBy",
    "targetMs",
    "intervalMs",
    "clock",
  ]);
  const { priorities = true, fairBy, targetMs = 5, intervalMs = 100, clock = systemClock } = known;
  if (fairBy !== undefined && typeof fairBy !== "function") {
    throw new OptionError("bulkhead.fairBy", fairBy, "a function from a call to the name of its tenant");
  }
  if (typeof clock?.setTimer !== "function") throw new OptionError("bulkhead.clock", clock, "a clock");
  return {
    limits: checkValues(known, DEFAULTS),
    priorities: flag("bulkhead.priorities", priorities),
    fairBy,
    targetMs: positiveMs("bulkhead.targetMs", targetMs),
    intervalMs: positiveMs("bulkhead.intervalMs", intervalMs),
    clock,
  };
}

/** New limits; what is left out stays. @throws OptionError when one is unknown or out of range. */
export function checkLimits<Limits extends CheckedLimits>(limits: BulkheadLimits, now: Limits): Limits {
  return checkValues(knownOptions("bulkhead", limits, LIMITS), now);
}

function checkValues<Limits extends CheckedLimits>(limits: BulkheadLimits, now: Limits): Limits {
  const {
    maxConcurrent = now.maxConcurrent,
    maxQueued = now.maxQueued,
    maxWaitMs = now.maxWaitMs,
    order = now.order,
  } = limits;
  if (maxConcurrent !== undefined) positiveInteger("bulkhead.maxConcurrent", maxConcurrent);
  nonNegativeInteger("bulkhead.maxQueued", maxQueued);
  positiveMs("bulkhead.maxWaitMs", maxWaitMs);
  oneOf("bulkhead.order", order, ["fifo", "lifo-under-load", "codel"]);
  return { ...now, maxConcurrent, maxQueued, maxWaitMs, order };
}
