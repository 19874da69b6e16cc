import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "@breakwater/core";
import { type Balancer, type BalancerName, BALANCERS } from "./balancer.ts";

interface Node {
  readonly name: string;
  readonly weight: number;
  running: number;
}

const nodeOf = (weight: number, running = 0): Node => ({ name: "node", weight, running });
const nodesOf = (weights: readonly number[]): Node[] => weights.map((weight) => nodeOf(weight));

const make = (name: BalancerName, seed = 1): Balancer => BALANCERS[name](seededRandom(seed));

function count(balancer: Balancer, nodes: readonly Node[], calls: number): number[] {
  const served = new Map(nodes.map((node) => [node, 0]));
  for (let call = 0; call < calls; call += 1) {
    const node = balancer.pick(nodes, call);
    served.set(node, (served.get(node) ?? 0) + 1);
  }
  return [...served.values()];
}

const names = Object.keys(BALANCERS) as BalancerName[];

describe.each(names)("the balancer %s", (name) => {
  it("gives one of the nodes it was given, and every one of them in time", () => {
    const property = fc.property(fc.integer({ min: 1, max: 20 }), fc.integer(), (size, seed) => {
      const nodes = nodesOf(Array.from({ length: size }, () => 1));
      expect(Math.min(...count(make(name, seed), nodes, size * 60))).toBeGreaterThan(0);
    });
    fc.assert(property, { numRuns: 30 });
  });
});

describe("round-robin", () => {
  it("differs by at most one call between any two nodes, after any number of calls", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: 1000 }), (size, calls) => {
        const served = count(make("round-robin"), nodesOf(Array.from({ length: size }, () => 1)), calls);
        expect(Math.max(...served) - Math.min(...served)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("weighted", () => {
  it("keeps every node within a few calls of its share, after any number of calls", () => {
    const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 2000 }), (each, calls) => {
        const sum = each.reduce((total, weight) => total + weight, 0);
        const served = count(make("weighted"), nodesOf(each), calls);
        for (const [index, weight] of each.entries()) {
          expect(Math.abs((served[index] ?? 0) - (calls * weight) / sum)).toBeLessThan(6);
        }
      }),
    );
  });

  it("follows when the nodes change", () => {
    const balancer = make("weighted");
    count(balancer, nodesOf([1, 1]), 10);
    const [heavy = 0, light = 0] = count(balancer, nodesOf([9, 1]), 100);
    expect(heavy).toBeGreaterThan(85);
    expect(light).toBeGreaterThan(5);
  });
});

describe("least-busy", () => {
  it("gives the node with the fewest calls for its weight", () => {
    const [first, second, heavy] = [nodeOf(1, 2), nodeOf(1, 3), nodeOf(4, 7)];
    const nodes = [first, second, heavy];
    const balancer = make("least-busy");
    for (let call = 0; call < 5; call += 1) expect(balancer.pick(nodes, 0)).toBe(heavy);
    heavy.running = 9;
    for (let call = 0; call < 5; call += 1) expect(balancer.pick(nodes, 0)).toBe(first);
  });

  it("takes turns among the idle", () => {
    expect(count(make("least-busy"), nodesOf([1, 1, 1]), 9)).toEqual([3, 3, 3]);
  });
});

describe("peak-ewma", () => {
  it("turns away from a node that became slow, at once, and comes back after a while", () => {
    const [fast, slow] = [nodeOf(1), nodeOf(1)];
    const nodes = [fast, slow];
    const balancer = make("peak-ewma");
    for (const node of nodes) balancer.answered?.(node, 2, 0);
    balancer.answered?.(slow, 500, 1);
    expect(balancer.pick(nodes, 2)).toBe(fast);
    // Both are forgotten at the same pace; what is slow gets calls again when enough run on the other.
    fast.running = 1000;
    expect(balancer.pick(nodes, 3)).toBe(slow);
  });

  it("lets one call find out about a node of which nothing is known", () => {
    const [known, unknown] = [nodeOf(1), nodeOf(1)];
    const nodes = [known, unknown];
    const balancer = make("peak-ewma");
    balancer.answered?.(known, 5, 0);
    expect(balancer.pick(nodes, 1)).toBe(unknown);
    unknown.running = 1;
    expect(balancer.pick(nodes, 1)).toBe(known);
  });

  it("spreads over equal nodes", () => {
    const nodes = nodesOf(Array.from({ length: 10 }, () => 1));
    const balancer = make("peak-ewma");
    for (const node of nodes) balancer.answered?.(node, 3, 0);
    const served = count(balancer, nodes, 5000);
    expect(Math.min(...served)).toBeGreaterThan(300);
  });
});
