/**
 * Prints what policies cost a call that goes well, over a pool that answers at once: time, memory and microtasks, each
 * added to what the bare pool takes.
 *
 *     pnpm bench:core
 */
import { compose, type Operation, operationContext, type Policy, type Pool, queryOperation } from "@breakwater/core";
import { emptyResult, fakePool } from "@breakwater/core/testing";
import { circuitBreaker, commitResolution, retry, router, timeout } from "@breakwater/policies";
import {
  bulkhead,
  circuitBreaker as cockatielBreaker,
  ConsecutiveBreaker,
  handleAll,
  retry as cockatielRetry,
  wrap,
} from "cockatiel";
import CircuitBreaker from "opossum";

const answer = Promise.resolve(emptyResult);

function answering(name: string): Pool {
  // A fake pool remembers its calls; here it shall not.
  return Object.assign(
    fakePool(() => emptyResult, name),
    { execute: () => answer },
  );
}

const routed = (pool: Pool): Pool => router({ primary: pool, probeIntervalMs: 1_000_000 });
const POLICIES: Readonly<Record<string, Policy>> = {
  timeout: timeout({ limitMs: 30_000 }),
  retry: retry(),
  "commit resolution": commitResolution(),
  router: routed,
  "circuit breaker": circuitBreaker(),
  "the recommended stack": (pool) =>
    compose(timeout({ limitMs: 30_000 }), retry(), commitResolution())(routed(circuitBreaker()(pool))),
};

type Call = () => Promise<unknown>;

const calls: [string, Call][] = [];
const pools: Pool[] = [];
const operation: Operation<unknown> = queryOperation({ text: "SELECT 1" }, operationContext("read"));
const add = (name: string, pool: Pool): void => {
  pools.push(pool);
  calls.push([name, () => pool.execute(operation)]);
};
add("bare", answering("bare"));
for (const [name, policy] of Object.entries(POLICIES)) add(name, policy(answering(name)));
const peer = wrap(
  cockatielRetry(handleAll, { maxAttempts: 3 }),
  cockatielBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
  bulkhead(10, 1_000),
);
calls.push(["cockatiel: retry, breaker, bulkhead", () => peer.execute(() => answer)]);
const opossum = new CircuitBreaker(() => answer, { timeout: 5_000 });
calls.push(["opossum", () => opossum.fire()]);

const ROUNDS = 25;
const TIMES = 20_000;
const FEW = 2_000;
const found = calls.map(([name, call]) => ({ name, call, ns: [] as number[], bytes: [] as number[] }));
const collect = (globalThis as { readonly gc?: () => void }).gc;
for (let round = 0; round < ROUNDS; round += 1) {
  for (const each of found) {
    const begun = process.hrtime.bigint();
    for (let time = 0; time < TIMES; time += 1) await each.call();
    each.ns.push(Number(process.hrtime.bigint() - begun) / TIMES);
    // So few that nothing is collected in between.
    collect?.();
    const heap = process.memoryUsage().heapUsed;
    for (let time = 0; time < FEW; time += 1) await each.call();
    each.bytes.push((process.memoryUsage().heapUsed - heap) / FEW);
  }
}
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const [bare] = found;
console.log("| policy | ns | bytes | microtasks |\n| --- | --- | --- | --- |");
for (const { name, call, ns, bytes } of found) {
  const added = (each: readonly number[], base: readonly number[]): string => (median(each) - median(base)).toFixed(0);
  const turns = (await microtasks(call)) - (await microtasks(bare?.call ?? call));
  console.log(`| ${name} | ${added(ns, bare?.ns ?? [])} | ${added(bytes, bare?.bytes ?? [])} | ${turns} |`);
}
opossum.shutdown();
await Promise.all(pools.map((pool) => pool.close()));

/** How many turns of the microtask queue a call takes. */
async function microtasks(call: Call): Promise<number> {
  const state = { over: false };
  let turns = 0;
  const ended = call().then(() => {
    state.over = true;
  });
  for (; !state.over; turns += 1) await Promise.resolve();
  await ended;
  return turns;
}
