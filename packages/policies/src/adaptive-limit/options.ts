/**
 * What may be said to `adaptiveLimit`, and the check of it.
 */
import {
  type Clock,
  flag,
  knownOptions,
  OptionError,
  positiveInteger,
  positiveMs,
  systemClock,
} from "@breakwater/core";

/** The bounds of the limit, which may be changed while it works. */
export interface AdaptiveLimits {
  /** The limit does not fall below this; a whole number from 1. @default 1 */
  readonly min?: number;
  /** The limit does not rise above this, nor above the pool's `stats().max`; a whole number from 1. @default the latter */
  readonly max?: number;
}

export interface AdaptiveLimitOptions extends AdaptiveLimits {
  /** Where it begins; a whole number from 1. @default 20, or the pool's `stats().max` if that is less */
  readonly initial?: number;
  /** How long latencies are gathered before the limit moves, in milliseconds; above 0. @default 100 */
  readonly windowMs?: number;
  /** How many calls it takes at least for the limit to move; a whole number from 1. @default 10 */
  readonly minimumCalls?: number;
  /** Refuses sheddable calls at four fifths of the limit, and critical ones only at twice the limit. @default true */
  readonly priorities?: boolean;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

/** Options with every default filled in. */
export interface CheckedAdaptiveLimitOptions {
  readonly bounds: { readonly min: number; readonly max: number };
  readonly initial: number;
  readonly windowMs: number;
  readonly minimumCalls: number;
  readonly priorities: boolean;
  readonly clock: Clock;
}

/** @throws OptionError when an option is unknown or out of range. */
export function checkAdaptiveLimitOptions(options: AdaptiveLimitOptions): CheckedAdaptiveLimitOptions {
  const known = ["min", "max", "initial", "windowMs", "minimumCalls", "priorities", "clock"] as const;
  const {
    initial = 20,
    windowMs = 100,
    minimumCalls = 10,
    priorities = true,
    clock = systemClock,
  } = knownOptions("adaptiveLimit", options, known);
  if (typeof clock?.setTimer !== "function") throw new OptionError("adaptiveLimit.clock", clock, "a clock");
  return {
    bounds: checkValues(options, { min: 1, max: Number.POSITIVE_INFINITY }),
    initial: positiveInteger("adaptiveLimit.initial", initial),
    windowMs: positiveMs("adaptiveLimit.windowMs", windowMs),
    minimumCalls: positiveInteger("adaptiveLimit.minimumCalls", minimumCalls),
    priorities: flag("adaptiveLimit.priorities", priorities),
    clock,
  };
}

/** New bounds; what is left out stays. @throws OptionError when one is unknown or out of range. */
export function checkBounds(limits: AdaptiveLimits, now: { min: number; max: number }): { min: number; max: number } {
  return checkValues(knownOptions("adaptiveLimit", limits, ["min", "max"]), now);
}

function checkValues(limits: AdaptiveLimits, now: { min: number; max: number }): { min: number; max: number } {
  const { min = now.min, max = now.max } = limits;
  positiveInteger("adaptiveLimit.min", min);
  if (limits.max !== undefined) positiveInteger("adaptiveLimit.max", max);
  if (max < min) throw new OptionError("adaptiveLimit.max", max, `at least adaptiveLimit.min (${min})`);
  return { min, max };
}
