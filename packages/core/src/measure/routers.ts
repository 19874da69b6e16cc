/**
 * What routers say of their nodes, wherever in a stack they stand.
 */
import type { PolicyStats, PoolStats } from "../contract/pool.ts";

/** What a router says of one of its nodes. What it does not know is left out. */
export interface NodeStanding {
  /** Its share of the reads, against that of others. */
  readonly weight?: number;
  /** Gets no new calls: somebody has said so. */
  readonly draining?: boolean;
  /** Gets no reads for a while: it failed calls or was slow. */
  readonly ejected?: boolean;
  /** Is further behind than is allowed. */
  readonly late?: boolean;
  /** Believes it is the primary, of an older history. */
  readonly fenced?: boolean;
  /** Has come back, and gets few calls at a time yet. */
  readonly starting?: boolean;
  /** How far it is behind the primary, in milliseconds. */
  readonly lagMs?: number;
  /** How far it is behind the primary, in bytes of its log. */
  readonly lagBytes?: number;
}

/** What the routers of a stack say: its own or, where it leads to several databases, those of all. */
export interface RoutersStanding {
  /** Of each node, by its name in `PoolStats.nodes`. */
  readonly nodes: ReadonlyMap<string, NodeStanding>;
  /** Calls that wait for a node; undefined without a router. */
  readonly waitingForNode: number | undefined;
}

/** Reads it out of the statistics of a stack. */
export function routersStanding(stats: PoolStats): RoutersStanding {
  const nodes = new Map<string, NodeStanding>();
  let waiting: number | undefined;
  for (const [prefix, router] of routersOf(stats)) {
    for (const [name, standing] of Object.entries((router["nodes"] ?? {}) as Readonly<Record<string, NodeStanding>>))
      nodes.set(prefix + name, standing);
    if (typeof router["waitingForNode"] === "number") waiting = (waiting ?? 0) + router["waitingForNode"];
  }
  return { nodes, waitingForNode: waiting };
}

/** Each with what stands before the names of its nodes. */
function routersOf({ policies }: PoolStats): readonly (readonly [prefix: string, router: PolicyStats])[] {
  return policies.flatMap((each): (readonly [string, PolicyStats])[] => {
    if (each.policy === "router") return [["", each]];
    if (each.policy !== "destinations") return [];
    const all = Object.entries((each["destinations"] ?? {}) as Readonly<Record<string, { readonly stats: PoolStats }>>);
    return all.flatMap(([name, { stats }]) => routersOf(stats).map(([, router]) => [`${name}/`, router] as const));
  });
}
