/**
 * What may be said to `hedge`, and the check of it.
 */
import {
  type Clock,
  flag,
  knownOptions,
  nonNegativeMs,
  type Operation,
  OptionError,
  positiveInteger,
  positiveMs,
  ratio,
  systemClock,
} from "@breakwater/core";
import type { RetryBudget } from "../budget/index.ts";

/** When a read is sent a second time, and how many may be. */
export interface HedgeOptions {
  /** The second go is sent when the first takes longer than this share of the like reads of late; above 0, below 1. @default 0.95 */
  readonly quantile?: number;
  /** The second go is never sent sooner than this, in milliseconds from 0. @default 5 */
  readonly minDelayMs?: number;
  /** Reads of a kind that must have been answered before one is hedged; a whole number from 1. @default 20 */
  readonly minimumCalls?: number;
  /** Bounds the second goes of all reads together; `false` is no bound. @default a budget of 5 % for each pool */
  readonly budget?: RetryBudget | false;
  /** Whether the primary may have a second go too. @default false */
  readonly toPrimary?: boolean;
  /** How long the slower go may run on before it is cancelled, in milliseconds; above 0. Cancelling costs its connection. @default 1000 */
  readonly runOutMs?: number;
  /** Slower goes that run on at a time, beyond which no second go is sent; a whole number from 1. @default 50 */
  readonly maxRunningOut?: number;
  /** Which reads may be sent twice, besides what is safe. @default all */
  readonly only?: (operation: Operation<unknown>) => boolean;
  /** Kinds of reads that are told apart: by label, or by text where there is none. A whole number from 1. @default 1000 */
  readonly maxKeys?: number;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

/** Options with every default filled in. */
export interface CheckedHedgeOptions {
  readonly quantile: number;
  readonly minDelayMs: number;
  readonly minimumCalls: number;
  readonly budget: RetryBudget | false | undefined;
  readonly toPrimary: boolean;
  readonly runOutMs: number;
  readonly maxRunningOut: number;
  readonly only: HedgeOptions["only"];
  readonly maxKeys: number;
  readonly clock: Clock;
}

/** What may be changed while it works. */
export const ADJUSTABLE = [
  "quantile",
  "minDelayMs",
  "minimumCalls",
  "budget",
  "toPrimary",
  "runOutMs",
  "maxRunningOut",
  "only",
  "maxKeys",
] as const;
const KNOWN = [...ADJUSTABLE, "clock"] as const;

/** @throws OptionError when an option is unknown or out of range. */
export function checkHedgeOptions(options: HedgeOptions): CheckedHedgeOptions {
  const { quantile = 0.95, minDelayMs = 5, minimumCalls = 20, budget } = knownOptions("hedge", options, KNOWN);
  const { toPrimary = false, runOutMs = 1_000, maxRunningOut = 50 } = options;
  const { only, maxKeys = 1_000, clock = systemClock } = options;
  if (ratio("hedge.quantile", quantile) === 1) {
    throw new OptionError("hedge.quantile", quantile, "a number above 0, below 1");
  }
  if (budget !== undefined && budget !== false && typeof budget?.tryRetry !== "function") {
    throw new OptionError("hedge.budget", budget, "false or a budget, as retryBudget() makes it");
  }
  if (only !== undefined && typeof only !== "function") throw new OptionError("hedge.only", only, "a function");
  if (typeof clock?.setTimer !== "function") throw new OptionError("hedge.clock", clock, "a clock");
  return {
    quantile,
    minDelayMs: nonNegativeMs("hedge.minDelayMs", minDelayMs),
    minimumCalls: positiveInteger("hedge.minimumCalls", minimumCalls),
    budget,
    toPrimary: flag("hedge.toPrimary", toPrimary),
    runOutMs: positiveMs("hedge.runOutMs", runOutMs),
    maxRunningOut: positiveInteger("hedge.maxRunningOut", maxRunningOut),
    only,
    maxKeys: positiveInteger("hedge.maxKeys", maxKeys),
    clock,
  };
}
