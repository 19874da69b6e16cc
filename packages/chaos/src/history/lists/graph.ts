/** A graph of numbered nodes, its strongly connected parts, and short ways through them. */

/** One edge: `kind` says why `from` stands before `to`. */
export interface Edge {
  readonly from: number;
  readonly to: number;
  /** `ww`: overwrote it; `wr`: read what it wrote; `rw`: overwrote what it had read. */
  readonly kind: "ww" | "wr" | "rw";
  readonly list: string;
}

/** Edges by the node that they leave. */
export type Graph = readonly (readonly Edge[])[];

/** The subgraph of some kinds of edge. */
export function only(graph: Graph, kinds: readonly Edge["kind"][]): Graph {
  return graph.map((edges) => edges.filter(({ kind }) => kinds.includes(kind)));
}

/**
 * The strongly connected components of two nodes and more (Tarjan, "Depth-first search and linear graph algorithms", 1972),
 * without recursion, in time linear in nodes and edges.
 */
export function components(graph: Graph): number[][] {
  const found: number[][] = [];
  const place = new Int32Array(graph.length).fill(-1);
  const low = new Int32Array(graph.length);
  const waiting = new Uint8Array(graph.length);
  const stack: number[] = [];
  let counter = 0;
  const enter = (node: number): { node: number; next: number } => {
    place[node] = low[node] = counter++;
    stack.push(node);
    waiting[node] = 1;
    return { node, next: 0 };
  };
  for (let root = 0; root < graph.length; root++) {
    if (place[root] !== -1) continue;
    const path = [enter(root)];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { node } = top;
      const edge = graph[node]?.[top.next++];
      if (edge !== undefined) {
        if (place[edge.to] === -1) path.push(enter(edge.to));
        else if (waiting[edge.to] === 1) low[node] = Math.min(low[node] ?? 0, place[edge.to] ?? 0);
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent !== undefined) low[parent.node] = Math.min(low[parent.node] ?? 0, low[node] ?? 0);
      if (low[node] !== place[node]) continue;
      const component = stack.splice(stack.lastIndexOf(node));
      for (const member of component) waiting[member] = 0;
      if (component.length > 1) found.push(component);
    }
  }
  return found;
}

/** What a search may look at before it gives up. */
export interface Effort {
  edges: number;
}

/**
 * The shortest way that begins with an edge and comes back to where it began. `step` says which edges may follow one another.
 *
 * @returns the edges, the first one first; undefined when there is no such way, or the effort is spent.
 */
export function cycleThrough(
  graph: Graph,
  first: Edge,
  members: ReadonlySet<number>,
  step: (previous: Edge, next: Edge) => boolean,
  effort: Effort,
): Edge[] | undefined {
  // A node may have to be passed twice: after an anti-dependency less may follow than after others.
  const seen = new Set<number>();
  const queue: { readonly edge: Edge; readonly before: number }[] = [{ edge: first, before: -1 }];
  for (let at = 0; at < queue.length; at++) {
    const { edge } = queue[at]!;
    for (const next of graph[edge.to] ?? []) {
      if (--effort.edges < 0) return undefined;
      if (!members.has(next.to) || !step(edge, next)) continue;
      if (next.to === first.from) {
        if (step(next, first)) return wayTo(queue, at, next);
        continue;
      }
      const state = next.to * 2 + (next.kind === "rw" ? 1 : 0);
      if (seen.has(state)) continue;
      seen.add(state);
      queue.push({ edge: next, before: at });
    }
  }
  return undefined;
}

function wayTo(queue: readonly { readonly edge: Edge; readonly before: number }[], end: number, last: Edge): Edge[] {
  const way = [last];
  for (let at = end; at !== -1; at = queue[at]!.before) way.push(queue[at]!.edge);
  return way.toReversed();
}
