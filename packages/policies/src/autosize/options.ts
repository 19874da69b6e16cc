/**
 * The options of `autosize`, checked.
 */
import {
  type Clock,
  knownOptions,
  nonNegativeMs,
  OptionError,
  positiveInteger,
  positiveMs,
  ratio,
  systemClock,
} from "@breakwater/core";

/** Bounds of a pool's size, and when it grows and shrinks. */
export interface AutosizeOptions {
  /** Fewest connections that it shrinks the pool's maximum to; a whole number from 1. @default 1 */
  readonly min?: number;
  /** Most that it grows it to; a whole number, at least `min`. */
  readonly max: number;
  /** How often it looks, in milliseconds; above 0. @default 100 */
  readonly intervalMs?: number;
  /** How long calls must have waited for connections, at every look, before it grows, in milliseconds. @default 300 */
  readonly growAfterMs?: number;
  /** How long there must have been too many connections before it shrinks, in milliseconds. @default 60000 */
  readonly shrinkAfterMs?: number;
  /** Too many are connections of which never more than this share was in use; above 0, at most 1. @default 0.5 */
  readonly shrinkBelowRatio?: number;
  /** Least time between two changes, in milliseconds. @default 1000 */
  readonly cooldownMs?: number;
  /** How long it stays at what there was when the database refused to open more, in milliseconds. @default 60000 */
  readonly refusedMs?: number;
  /**
   * Most connections that the database allows this pool now. Asked before the pool grows; when it fails or tells no
   * number, the pool does not grow.
   */
  readonly allowed?: () => number | Promise<number>;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

const OPTIONS = [
  "min",
  "max",
  "intervalMs",
  "growAfterMs",
  "shrinkAfterMs",
  "shrinkBelowRatio",
  "cooldownMs",
  "refusedMs",
  "allowed",
  "clock",
] as const;

/** What may be changed while it works. */
export const ADJUSTABLE: readonly (typeof OPTIONS)[number][] = OPTIONS.filter(
  (name) => name !== "allowed" && name !== "clock",
);

/** The options with their defaults. */
export type CheckedAutosizeOptions = Required<Omit<AutosizeOptions, "allowed">> & {
  readonly allowed: AutosizeOptions["allowed"];
};

/** @throws OptionError when an option is unknown or out of range. */
export function checkAutosizeOptions(options: AutosizeOptions): CheckedAutosizeOptions {
  const {
    min = 1,
    max,
    intervalMs = 100,
    growAfterMs = 300,
    shrinkAfterMs = 60_000,
    shrinkBelowRatio = 0.5,
    cooldownMs = 1_000,
    refusedMs = 60_000,
    clock = systemClock,
    allowed,
  } = knownOptions("autosize", options, OPTIONS);
  positiveInteger("autosize.max", max);
  positiveInteger("autosize.min", min);
  if (min > max) throw new OptionError("autosize.min", min, `at most max, which is ${max}`);
  if (allowed !== undefined && typeof allowed !== "function")
    throw new OptionError("autosize.allowed", allowed, "a function that tells a number");
  if (typeof clock?.setTimer !== "function") throw new OptionError("autosize.clock", clock, "a clock");
  return {
    min,
    max,
    intervalMs: positiveMs("autosize.intervalMs", intervalMs),
    growAfterMs: nonNegativeMs("autosize.growAfterMs", growAfterMs),
    shrinkAfterMs: nonNegativeMs("autosize.shrinkAfterMs", shrinkAfterMs),
    shrinkBelowRatio: ratio("autosize.shrinkBelowRatio", shrinkBelowRatio),
    cooldownMs: nonNegativeMs("autosize.cooldownMs", cooldownMs),
    refusedMs: nonNegativeMs("autosize.refusedMs", refusedMs),
    allowed,
    clock,
  };
}
