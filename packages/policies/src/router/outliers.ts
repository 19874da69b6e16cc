/**
 * Which of some replicas stands out from the others, by what its calls of late were like. Pure.
 *
 * By success rate and failure percentage as Envoy does it (its documentation, "Outlier detection"); by latency against the
 * median of the others, since what is slow for all of them is no replica's fault.
 */
import { RecentLatencies } from "@breakwater/core";

/** So many calls are timed in any case; of those that come after them, until the next look, one of so many. */
const TIMED = 200;
const TIMED_RATIO = 1 / 8;
/** No pattern among the calls keeps in step with its multiples, so that those that are timed are like all the others. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** What a replica's plain reads were like since it was last looked at. */
export class CallWindow {
  readonly latencies: RecentLatencies = new RecentLatencies(0);
  calls = 0;
  failures = 0;
  /** Looks in a row at which it was too slow. */
  slow = 0;
  #turn = 0;

  /** Whether the next call is to be timed: to read the time costs more than all else that is done for a call. */
  toBeTimed(): boolean {
    if (this.latencies.count < TIMED) return true;
    this.#turn = (this.#turn + GOLDEN) % 1;
    return this.#turn < TIMED_RATIO;
  }

  clear(): void {
    this.latencies.clear();
    this.calls = 0;
    this.failures = 0;
  }
}

/** Why a replica is left out: failures in a row; many failures among its calls; far slower than the others. */
export type EjectionCause = "failures" | "failure-ratio" | "latency";

/** From so many replicas on their success rates have a deviation that tells something: Envoy's default. */
const MANY = 5;
/** Standard deviations below the mean: Envoy's default. */
const DEVIATIONS = 1.9;
/** Failures that stand out by their deviation count from this share on: where all is well, a single one would stand out. */
const LEAST_RATIO = 0.1;

/** Whether a replica fails many calls, and the others do not. */
export function failsMore(one: CallWindow, others: readonly CallWindow[], failureRatio: number): boolean {
  const failing = one.failures / one.calls;
  const rest = others.map(({ failures, calls }) => failures / calls);
  if (failing >= failureRatio && mean(rest) <= failing / 2) return true;
  if (others.length + 1 < MANY || failing < LEAST_RATIO) return false;
  const all = [failing, ...rest];
  const middle = mean(all);
  const deviation = Math.sqrt(mean(all.map((ratio) => (ratio - middle) ** 2)));
  return failing > middle + DEVIATIONS * deviation;
}

/** Whether half of a replica's calls take so many times as long as the others' do, and noticeably longer. */
export function isSlower(one: CallWindow, others: readonly CallWindow[], factor: number, leastMs: number): boolean {
  const usualMs = median(others.map(({ latencies }) => latencies.percentile(0.5)));
  const ownMs = one.latencies.percentile(0.5);
  return ownMs >= factor * usualMs && ownMs - usualMs >= leastMs;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return ((sorted[half] ?? 0) + (sorted[(sorted.length - 1) >> 1] ?? 0)) / 2;
}
