/**
 * How long to wait before an attempt. Pure: the dice are an argument.
 *
 * The formulas are those of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, with `factor` in
 * the place of its 2.
 */
import type { Random } from "@breakwater/core";

/** Kinds of jitter, by the names of the source. */
export const JITTERS = ["full", "equal", "decorrelated", "none"] as const;

/** How the waits of many callers are spread. */
export type Jitter = (typeof JITTERS)[number];

/** The shape of a row of waits. */
export interface Backoff {
  /** The first wait before jitter, in milliseconds. */
  readonly initialDelayMs: number;
  /** Longest wait, in milliseconds. */
  readonly maxDelayMs: number;
  /** How much longer each wait is than the one before. */
  readonly factor: number;
  readonly jitter: Jitter;
}

/** The wait without jitter: `min(cap, base * factor ^ (retry - 1))`, for retries counted from 1. */
export function exponentialMs(backoff: Backoff, retry: number): number {
  // 0 times a factor that has grown to Infinity is not a number.
  if (backoff.initialDelayMs === 0) return 0;
  return Math.min(backoff.maxDelayMs, backoff.initialDelayMs * backoff.factor ** (retry - 1));
}

/**
 * The wait before a retry, in milliseconds; `previousMs` is what this returned for the retry before it.
 * - none: `exponential`
 * - full: `random_between(0, exponential)`; the least work in all in the source's simulation, hence the default
 * - equal: `exponential / 2 + random_between(0, exponential / 2)`
 * - decorrelated: `min(cap, random_between(base, previous * 3))`, where the first `previous` is `base`; no `factor`
 */
export function backoffMs(backoff: Backoff, retry: number, previousMs: number | undefined, random: Random): number {
  const { jitter, initialDelayMs, maxDelayMs } = backoff;
  if (jitter === "decorrelated") {
    const previous = Math.max(initialDelayMs, previousMs ?? initialDelayMs);
    return Math.min(maxDelayMs, initialDelayMs + random() * (previous * 3 - initialDelayMs));
  }
  const exponential = exponentialMs(backoff, retry);
  if (jitter === "full") return exponential * random();
  return jitter === "equal" ? (exponential / 2) * (1 + random()) : exponential;
}
