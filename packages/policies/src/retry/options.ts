/**
 * What may be said to `retry`, and the check of it.
 */
import {
  atLeast,
  type Clock,
  flag,
  knownOptions,
  nonNegativeInteger,
  nonNegativeMs,
  oneOf,
  OptionError,
  type Random,
  systemClock,
} from "@breakwater/core";
import type { RetryBudget } from "../budget/index.ts";
import { type Backoff, type Jitter, JITTERS } from "./backoff.ts";

/** How often a call is run again, and how long it waits in between. */
export interface RetryOptions {
  /** Most retries of one call; a whole number from 0. A kind of failure may be worth fewer. @default 3 */
  readonly maxRetries?: number;
  /** The first wait before jitter, in milliseconds from 0. @default 50 */
  readonly initialDelayMs?: number;
  /** Longest wait, in milliseconds, at least `initialDelayMs`; what a failure asks for comes on top. @default 2000 */
  readonly maxDelayMs?: number;
  /** How much longer each wait is than the one before; at least 1. Not used by `decorrelated`. @default 2 */
  readonly factor?: number;
  /** How the waits of many callers are spread. @default "full" */
  readonly jitter?: Jitter;
  /** Bounds the retries of all calls together; `false` is no bound. @default a budget of its own for each pool */
  readonly budget?: RetryBudget | false;
  /** Also tries again after a wait for a lock was given up. @default false */
  readonly retryLockTimeouts?: boolean;
  /** Also tries again after the server ended a statement that took too long. @default false */
  readonly retryStatementTimeouts?: boolean;
  /** Source of the time, and of the waits. @default systemClock */
  readonly clock?: Clock;
  /** The dice of the jitter. @default Math.random */
  readonly random?: Random;
}

/** Options with every default filled in. */
export interface CheckedRetryOptions extends Backoff {
  readonly maxRetries: number;
  readonly budget: RetryBudget | false | undefined;
  readonly retryLockTimeouts: boolean;
  readonly retryStatementTimeouts: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** What may be changed while it works. */
export const ADJUSTABLE = [
  "maxRetries",
  "initialDelayMs",
  "maxDelayMs",
  "factor",
  "jitter",
  "budget",
  "retryLockTimeouts",
  "retryStatementTimeouts",
] as const;
const KNOWN = [...ADJUSTABLE, "clock", "random"] as const;

/** @throws OptionError when an option is unknown or out of range. */
export function checkRetryOptions(options: RetryOptions): CheckedRetryOptions {
  const {
    maxRetries = 3,
    initialDelayMs = 50,
    maxDelayMs = 2000,
    factor = 2,
    jitter = "full",
  } = knownOptions("retry", options, KNOWN);
  const { budget, retryLockTimeouts = false, retryStatementTimeouts = false } = options;
  const { clock = systemClock, random = Math.random } = options;
  nonNegativeMs("retry.initialDelayMs", initialDelayMs);
  nonNegativeMs("retry.maxDelayMs", maxDelayMs);
  if (maxDelayMs < initialDelayMs) {
    throw new OptionError("retry.maxDelayMs", maxDelayMs, `at least retry.initialDelayMs (${initialDelayMs})`);
  }
  if (budget !== undefined && budget !== false && typeof budget?.tryRetry !== "function") {
    throw new OptionError("retry.budget", budget, "false or a budget, as retryBudget() makes it");
  }
  if (typeof clock?.setTimer !== "function") throw new OptionError("retry.clock", clock, "a clock");
  if (typeof random !== "function") throw new OptionError("retry.random", random, "a function");
  return {
    maxRetries: nonNegativeInteger("retry.maxRetries", maxRetries),
    initialDelayMs,
    maxDelayMs,
    factor: atLeast("retry.factor", factor, 1),
    jitter: oneOf("retry.jitter", jitter, JITTERS),
    budget,
    retryLockTimeouts: flag("retry.retryLockTimeouts", retryLockTimeouts),
    retryStatementTimeouts: flag("retry.retryStatementTimeouts", retryStatementTimeouts),
    clock,
    random,
  };
}
