/**
 * Which of several nodes serves the next read. A new way to choose is one function here, and its name in `BALANCERS`.
 */
import type { Random } from "@breakwater/core";

/** What a balancer sees of a node. */
export interface Candidate {
  /** Name of the node. */
  readonly name: string;
  /** Share of the calls, relative to the others'. */
  readonly weight: number;
  /** Calls that run there now. */
  readonly running: number;
}

/** Chooses nodes. Each router has one of its own. */
export interface Balancer {
  /** One of some nodes; there is at least one. The array is the same one as long as the nodes are the same. */
  pick<Node extends Candidate>(nodes: readonly Node[], nowMs: number): Node;
  /** Hears how long each call took that was answered. The router measures only for balancers that have this. */
  answered?(node: Candidate, tookMs: number, nowMs: number): void;
}

/** Makes a balancer. */
export type BalancerFactory = (random: Random) => Balancer;

/** The balancers by name. */
export type BalancerName = "round-robin" | "weighted" | "least-busy" | "peak-ewma";

/** What the names stand for. */
export const BALANCERS: Readonly<Record<BalancerName, BalancerFactory>> = {
  "round-robin": roundRobin,
  weighted,
  "least-busy": leastBusy,
  "peak-ewma": peakEwma,
};

/** One after the other: over any number of calls no two nodes differ by more than one. */
function roundRobin(): Balancer {
  let turn = 0;
  return { pick: (nodes) => at(nodes, turn++ % nodes.length) };
}

/** The fractional part of its multiples fills the unit interval as evenly as can be (three-distance theorem). */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * By weight, spread evenly over time: multiples of the golden ratio fall into intervals as long as the weights. After any
 * number of calls each node is within a few calls of its share, without dice and whatever the weights.
 */
function weighted(): Balancer {
  let turn = 0;
  let known: readonly Candidate[] = [];
  let bounds: number[] = [];
  return {
    pick(nodes) {
      if (nodes !== known) {
        let sum = 0;
        bounds = nodes.map(({ weight }) => (sum += weight));
        known = nodes;
      }
      turn = (turn + GOLDEN) % 1;
      const point = turn * (bounds.at(-1) ?? 0);
      let low = 0;
      for (let high = bounds.length - 1; low < high;) {
        const middle = (low + high) >> 1;
        if (point < (bounds[middle] ?? 0)) high = middle;
        else low = middle + 1;
      }
      return at(nodes, low);
    },
  };
}

/** The one with the fewest calls for its weight; among equals, in turn. Ends at the first that has none. */
function leastBusy(): Balancer {
  let turn = 0;
  return {
    pick(nodes) {
      const start = turn++ % nodes.length;
      let best = at(nodes, start);
      for (let step = 1; step < nodes.length && best.running > 0; step += 1) {
        const node = at(nodes, (start + step) % nodes.length);
        if (node.running * best.weight < best.running * node.weight) best = node;
      }
      return best;
    },
  };
}

/** How long the average remembers, in milliseconds: Finagle's default. */
const DECAY_MS = 10_000;

/**
 * Of two drawn at random the one with the lesser load: calls that run, and one more, times a latency average that jumps
 * up at once and comes down slowly. Twitter Finagle's "Peak EWMA" (`p2c.PeakEwma`), also Linkerd's balancer; two choices
 * after Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001).
 */
function peakEwma(random: Random): Balancer {
  const averages = new WeakMap<Candidate, { ms: number; at: number }>();
  const load = (node: Candidate, nowMs: number): number => {
    const average = averages.get(node);
    // Nothing is known of a node: one call finds out, more wait until it has.
    if (average === undefined) return node.running === 0 ? 0 : Number.MAX_VALUE;
    const left = Math.exp(-(nowMs - average.at) / DECAY_MS);
    return (average.ms * left * (node.running + 1)) / node.weight;
  };
  return {
    pick(nodes, nowMs) {
      const first = Math.floor(random() * nodes.length);
      if (nodes.length === 1) return at(nodes, first);
      const other = (first + 1 + Math.floor(random() * (nodes.length - 1))) % nodes.length;
      return load(at(nodes, other), nowMs) < load(at(nodes, first), nowMs) ? at(nodes, other) : at(nodes, first);
    },
    answered(node, tookMs, nowMs) {
      const average = averages.get(node);
      if (average === undefined) {
        averages.set(node, { ms: tookMs, at: nowMs });
        return;
      }
      const left = Math.exp(-(nowMs - average.at) / DECAY_MS);
      average.ms = tookMs > average.ms * left ? tookMs : average.ms * left + tookMs * (1 - left);
      average.at = nowMs;
    },
  };
}

function at<Node>(nodes: readonly Node[], index: number): Node {
  return nodes[index] as Node;
}
