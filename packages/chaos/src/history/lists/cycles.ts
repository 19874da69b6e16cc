/**
 * Transactions that stand in no order: each has to come before the next, and the last before the first.
 *
 * The dependencies are those of Adya's thesis, inferred from lists as Elle does (Kingsbury and Alvaro, "Elle: Inferring Isolation
 * Anomalies from Experimental Observations", VLDB 2020): an element is appended after the one before it (ww), read after it was
 * appended (wr), and appended after a read that does not have it (rw).
 */
import type { History } from "../history.ts";
import type { FinalState } from "../operation.ts";
import { type Violation, type ViolationKind, violation } from "../violation.ts";
import { components, cycleThrough, type Edge, type Effort, type Graph, only } from "./graph.ts";
import { indexLists, type ListIndex, type Transaction } from "./list-index.ts";

/** Edges that the search for the name of one component's cycle may look at: some hundredths of a second. */
const MAX_EDGES = 2_000_000;
/** Appends that nobody has seen, of one list, that are held against the reads that lack them. */
const MAX_UNSEEN = 100;
/** Transactions that are shown of a knot that could not be searched. */
const MAX_SHOWN = 10;

/**
 * Finds G0, G1c, G-single (read skew), G-nonadjacent (long fork) and G2 (write skew), one cycle of each sort in every knot
 * of transactions; of the last three only the first that is found.
 *
 * Whether there is a cycle is proved, for what was read. Its name is the strongest that a bounded search finds: in a knot of
 * thousands a read skew may be called a write skew, and the message says so. Asks nothing of real time: a replica's old answer is no cycle.
 */
export function listCycles(history: History, finalState: FinalState = {}): Violation[] {
  const index = indexLists(history, finalState);
  const nodes = [...index.committed];
  const graph = dependencies(index, nodes);
  const certain = only(graph, ["ww", "wr"]);
  const found = (kind: ViolationKind, meaning: string, cycles: readonly (readonly Edge[])[]): Violation[] =>
    cycles.map((cycle) => tell(kind, meaning, cycle, nodes));
  return [
    ...found("dirty-write", "transactions overwrote each other (G0)", throughAll(only(graph, ["ww"]), "ww")),
    ...found("circular-information-flow", "transactions saw each other's effects (G1c)", throughAll(certain, "wr")),
    ...components(graph).flatMap((component) => antiDependencies({ graph, certain, component, nodes })),
  ];
}

function dependencies({ lists, committed }: ListIndex, nodes: readonly Transaction[]): Graph {
  const graph: Edge[][] = nodes.map(() => []);
  const numbers = new Map(nodes.map((node, number) => [node, number]));
  const connect = (
    kind: Edge["kind"],
    list: string,
    from: Transaction | undefined,
    to: Transaction | undefined,
  ): void => {
    if (from === undefined || to === undefined || from === to) return;
    const [source, target] = [numbers.get(from), numbers.get(to)];
    if (source !== undefined && target !== undefined) graph[source]?.push({ from: source, to: target, kind, list });
  };
  for (const [name, { appends, reads, order, positions, unseen }] of lists) {
    const later = [...unseen].slice(0, MAX_UNSEEN);
    const writer = (at: number): Transaction | undefined => {
      const element = order[at];
      const operation = element === undefined ? undefined : appends.get(element)?.operation;
      return operation !== undefined && committed.has(operation) ? operation : undefined;
    };
    for (let at = 1; at < order.length; at++) connect("ww", name, writer(at - 1), writer(at));
    for (const { operation, elements, own } of reads) {
      // What follows a read of one's own append follows the append: that is a ww already.
      if (own.length > 0) continue;
      const last = elements.at(-1);
      const at = last === undefined ? -1 : positions.get(last);
      if (at === undefined) continue;
      connect("wr", name, writer(at), operation);
      connect("rw", name, operation, writer(at + 1));
      // Who appended as well without being seen is the business of `listReads`: one of them updated over the other.
      if (at + 1 < order.length || unseen.has(operation)) continue;
      for (const other of later) connect("rw", name, operation, other);
    }
  }
  return graph;
}

/** One cycle through an edge of a kind, in every component that has such a one. */
function throughAll(graph: Graph, kind: Edge["kind"]): Edge[][] {
  return components(graph).flatMap((component) => {
    const cycle = searchThrough({ graph, component, first: edgesWithin(graph, component, kind) });
    return cycle === undefined ? [] : [cycle];
  });
}

function edgesWithin(graph: Graph, component: readonly number[], kind: Edge["kind"]): Edge[] {
  const members = new Set(component);
  return component.flatMap((node) => graph[node] ?? []).filter((edge) => edge.kind === kind && members.has(edge.to));
}

interface Search {
  readonly graph: Graph;
  readonly component: readonly number[];
  /** The edges to begin with. */
  readonly first: readonly Edge[];
  /** Which edges may follow one another. @default all */
  readonly step?: (previous: Edge, next: Edge) => boolean;
  /** Which cycles count. @default all */
  readonly wanted?: (cycle: readonly Edge[]) => boolean;
  readonly effort?: Effort;
}

function searchThrough(search: Search): Edge[] | undefined {
  const { graph, component, first, step = () => true, wanted = () => true, effort = { edges: MAX_EDGES } } = search;
  const members = new Set(component);
  for (const edge of first) {
    const cycle = cycleThrough(graph, edge, members, step, effort);
    if (cycle !== undefined && wanted(cycle)) return cycle;
    if (effort.edges < 0) return undefined;
  }
  return undefined;
}

interface Knot {
  readonly graph: Graph;
  /** The same without anti-dependencies. */
  readonly certain: Graph;
  readonly component: readonly number[];
  readonly nodes: readonly Transaction[];
}

/** Names the cycles that have an anti-dependency in them: none may follow another, and one is worse than two. */
function antiDependencies({ graph, certain, component, nodes }: Knot): Violation[] {
  const first = edgesWithin(graph, component, "rw");
  const efforts = [{ edges: MAX_EDGES }, { edges: MAX_EDGES }, { edges: MAX_EDGES }] as const;
  const single = searchThrough({ graph: certain, component, first, wanted: isSkew, effort: efforts[0] });
  if (single !== undefined) {
    return [
      tell("read-skew", "a transaction saw one part of another's effects and not the other (G-single)", single, nodes),
    ];
  }
  const apart = (previous: Edge, next: Edge): boolean => previous.kind !== "rw" || next.kind !== "rw";
  const fork = searchThrough({ graph, component, first, step: apart, wanted: isPlural, effort: efforts[1] });
  if (fork !== undefined) {
    const meaning = "readers saw independent writes in different orders, as reads from replicas may (long fork)";
    return [tell("long-fork", meaning, fork, nodes)];
  }
  const skew = searchThrough({ graph, component, first, wanted: isPlural, effort: efforts[2] });
  if (skew !== undefined) {
    return [tell("write-skew", "transactions each overwrote what the other had read (G2)", skew, nodes)];
  }
  if (efforts.every(({ edges }) => edges >= 0)) return [];
  const members = component.flatMap((node) => nodes[node] ?? []).slice(0, MAX_SHOWN);
  const meaning = `${component.length} transactions stand in no order; too many to find a smaller cycle: a write skew at least`;
  return [violation("write-skew", meaning, members)];
}

function isPlural(cycle: readonly Edge[]): boolean {
  return cycle.filter(({ kind }) => kind === "rw").length > 1;
}

/** Not an update over an append that was not seen: `listReads` tells of those. */
function isSkew(cycle: readonly Edge[]): boolean {
  return cycle.at(-1)?.kind !== "ww" || cycle.some(({ list }) => list !== cycle[0]?.list);
}

function tell(kind: ViolationKind, meaning: string, cycle: readonly Edge[], nodes: readonly Transaction[]): Violation {
  const operations = cycle.flatMap(({ from }) => nodes[from] ?? []);
  const way = cycle.map(({ from, kind: why, list }) => `#${nodes[from]?.index} -${why} "${list}"->`).join(" ");
  return violation(kind, `${meaning}, ${way} #${operations[0]?.index}`, operations);
}
