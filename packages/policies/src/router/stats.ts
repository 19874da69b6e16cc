/**
 * One moment of a router: its nodes' sums, its own counters, and what it thinks of each node.
 */
import { type PoolStats, sumOfPools } from "@breakwater/core";
import type { RouterNode } from "./node.ts";

export function routerStats(
  name: string,
  nodes: readonly RouterNode[],
  counters: Readonly<Record<string, number>>,
): PoolStats {
  const stats = nodes.map((node) => node.stats());
  const details = Object.freeze(Object.fromEntries(nodes.map((node) => [node.name, node.details()])));
  return Object.freeze({
    name,
    ...sumOfPools(stats.map(({ pool }) => pool)),
    policies: Object.freeze([Object.freeze({ ...counters, nodes: details, policy: "router" })]),
    nodes: Object.freeze(stats),
  });
}
