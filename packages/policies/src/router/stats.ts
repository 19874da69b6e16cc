/**
 * One moment of a router: its nodes' sums, its own counters, and what it thinks of each node.
 */
import { type PoolStats, sumOfMetrics } from "@breakwater/core";
import type { RouterNode } from "./node.ts";

export function routerStats(
  name: string,
  nodes: readonly RouterNode[],
  counters: Readonly<Record<string, number>>,
): PoolStats {
  const stats = nodes.map((node) => node.stats());
  const sum = (of: (pool: PoolStats) => number): number => stats.reduce((total, { pool }) => total + of(pool), 0);
  const details = Object.freeze(Object.fromEntries(nodes.map((node) => [node.name, node.details()])));
  return Object.freeze({
    name,
    total: sum(({ total }) => total),
    idle: sum(({ idle }) => idle),
    active: sum(({ active }) => active),
    waiting: sum(({ waiting }) => waiting),
    connecting: sum(({ connecting }) => connecting),
    max: sum(({ max }) => max),
    policies: Object.freeze([Object.freeze({ ...counters, nodes: details, policy: "router" })]),
    nodes: Object.freeze(stats),
    metrics: sumOfMetrics(stats.map(({ pool }) => pool.metrics)),
  });
}
