/**
 * What several pools are together.
 */
import type { PoolStats } from "../contract/pool.ts";
import { sumOfMetrics } from "./metrics.ts";

/** What of a pool can be added up. */
export type PoolSums = Pick<PoolStats, "total" | "idle" | "active" | "waiting" | "connecting" | "max" | "metrics">;

/** The sums over `all` of several pools, such as the nodes of a router. */
export function sumOfPools(all: readonly PoolSums[]): PoolSums {
  const sum = (of: (stats: PoolSums) => number): number => all.reduce((total, stats) => total + of(stats), 0);
  return {
    total: sum(({ total }) => total),
    idle: sum(({ idle }) => idle),
    active: sum(({ active }) => active),
    waiting: sum(({ waiting }) => waiting),
    connecting: sum(({ connecting }) => connecting),
    max: sum(({ max }) => max),
    metrics: sumOfMetrics(all.map(({ metrics }) => metrics)),
  };
}
