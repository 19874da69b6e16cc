/**
 * What a stack has done lately, from snapshots that are taken when somebody looks, and at no other time.
 */
import { type HistogramSnapshot, metricsSince, type PoolMetrics, type PoolStats, sumOfMetrics } from "@breakwater/core";
import type { LatencyReport, PeriodReport } from "./report.ts";

/** What is called lately. */
const WINDOW_MS = 10_000;
/** Snapshots stand so far apart, so that there are few of them however many look. */
const SPACING_MS = 1_000;

interface Mark {
  readonly atMs: number;
  readonly metrics: PoolMetrics;
  readonly nodes: ReadonlyMap<string, PoolMetrics>;
}

/** What was done lately: all of it, and of each node. */
export interface Recent {
  readonly all: PeriodReport;
  readonly nodes: ReadonlyMap<string, PeriodReport>;
}

/** Looks back over the last ten seconds, or to the last look if that was before. */
export class RecentCalls {
  // In the order of time; the first is where the period begins.
  readonly #marks: Mark[];

  constructor(stats: PoolStats, nowMs: number) {
    this.#marks = [markOf(stats, nowMs)];
  }

  look(stats: PoolStats, nowMs: number): Recent {
    const marks = this.#marks;
    while (marks.length > 1 && marks[1]!.atMs <= nowMs - WINDOW_MS) marks.shift();
    const since = marks[0]!;
    if (nowMs - marks.at(-1)!.atMs >= SPACING_MS) marks.push(markOf(stats, nowMs));
    const ms = nowMs - since.atMs;
    const done = stats.nodes.map(({ name, pool: { metrics } }) => {
      const earlier = since.nodes.get(name);
      return [name, earlier === undefined ? metrics : metricsSince(metrics, earlier)] as const;
    });
    // The sums of a router fall when a node leaves; those of what each node did do not.
    const all =
      done.length > 0 ? sumOfMetrics(done.map(([, metrics]) => metrics)) : metricsSince(stats.metrics, since.metrics);
    return {
      all: periodOf(all, ms),
      nodes: new Map(done.map(([name, metrics]) => [name, periodOf(metrics, ms)])),
    };
  }
}

/** Percentiles in milliseconds, rounded to microseconds. */
export function latencyOf(times: HistogramSnapshot): LatencyReport {
  return { p50: round(times.p50), p95: round(times.percentile(95)), p99: round(times.p99) };
}

function markOf({ metrics, nodes }: PoolStats, atMs: number): Mark {
  return { atMs, metrics, nodes: new Map(nodes.map(({ name, pool }) => [name, pool.metrics])) };
}

function periodOf({ calls, failed, execution, acquire }: PoolMetrics, ms: number): PeriodReport {
  return {
    ms: Math.round(ms),
    calls,
    failed,
    callsPerSecond: ms > 0 ? round((calls * 1_000) / ms) : 0,
    latency: latencyOf(execution),
    wait: latencyOf(acquire),
  };
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
