/** Prints what a router adds to a read, in nanoseconds, and what one pick costs over 3, 10 and 100 replicas. */
import { emptyResult, fakeCall, fakePool } from "@breakwater/core/testing";
import { router } from "@breakwater/policies";
import { type BalancerName, BALANCERS } from "../../packages/policies/src/router/balancer.ts";

const SIZES = [3, 10, 100];

/** The median of some numbers. */
function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

// The sizes take turns within each round, so that a busy machine slows all of them alike.
for (const name of Object.keys(BALANCERS) as BalancerName[]) {
  const cases = SIZES.map((size) => {
    const balancer = BALANCERS[name](Math.random);
    const nodes = Array.from({ length: size }, (_, index) => ({ name: `n${index}`, weight: 1, running: 3 }));
    for (const node of nodes) balancer.answered?.(node, 2, 0);
    return { balancer, nodes, rounds: [] as number[] };
  });
  for (let round = 0; round < 41; round += 1) {
    for (const { balancer, nodes, rounds } of cases) {
      const begin = process.hrtime.bigint();
      for (let pick = 0; pick < 20_000; pick += 1) balancer.pick(nodes, pick);
      rounds.push(Number(process.hrtime.bigint() - begin) / 20_000);
    }
  }
  const figures = cases.map(({ rounds }, index) => `${SIZES[index]}: ${median(rounds).toFixed(0)} ns`);
  console.log(`pick, ${name}: ${figures.join(", ")}`);
}

const pools = [0, ...SIZES].map((size) => {
  const primary = fakePool(() => emptyResult, "primary");
  const replicas = Array.from({ length: size }, (_, index) => fakePool(() => emptyResult, `n${index}`));
  // A fake pool remembers its calls; here it shall not.
  for (const pool of [primary, ...replicas]) Object.assign(pool, { execute: () => Promise.resolve(emptyResult) });
  return size === 0 ? primary : router({ primary, replicas, probeIntervalMs: 1_000_000 });
});
const rounds = pools.map((): number[] => []);
const operation = fakeCall({ consistency: "eventual" });
for (let round = 0; round < 31; round += 1) {
  for (const [index, pool] of pools.entries()) {
    const begin = process.hrtime.bigint();
    for (let call = 0; call < 10_000; call += 1) await pool.execute(operation);
    rounds[index]?.push(Number(process.hrtime.bigint() - begin) / 10_000);
  }
}
const [bare = 0, ...routed] = rounds.map(median);
const added = routed.map((ns, index) => `${SIZES[index]} replicas +${(ns - bare).toFixed(0)} ns`);
console.log(`an awaited read, bare ${bare.toFixed(0)} ns; through the router: ${added.join(", ")}`);
await Promise.all(pools.map((pool) => pool.close()));
