/**
 * Which nodes reads go to. Pure.
 */
import type { RouterNode } from "./node.ts";

/**
 * The replicas that are well, those of the own zone if there are any; else the primary; else, when there is no primary
 * either, replicas that failed calls of late: better an attempt than none. What lags behind the limit is left out always.
 */
export function chooseReaders(
  nodes: readonly RouterNode[],
  primary: RouterNode | undefined,
  zone: string | undefined,
): readonly RouterNode[] {
  const replicas = nodes.filter((node) => node.open && node.role === "replica" && !node.lagging);
  const well = replicas.filter((node) => node.ejectedUntil === undefined && !node.late);
  if (well.length > 0) return preferred(well, zone);
  if (primary !== undefined) return [primary];
  return preferred(replicas, zone);
}

function preferred(nodes: readonly RouterNode[], zone: string | undefined): readonly RouterNode[] {
  const near = zone === undefined ? [] : nodes.filter((node) => node.zone === zone);
  return near.length > 0 ? near : nodes;
}
