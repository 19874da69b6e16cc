/**
 * Prints what policies cost a call that goes well, over a pool that answers at once: time, memory and microtasks, each
 * added to what the bare pool takes.
 *
 *     pnpm bench:core [--short] [--check]
 *
 * All calls are awaited one after the other, those of all policies in turn, round by round: each policy meets the code of
 * the others, as in a program that uses many. `--short` does fewer rounds. `--check` ends with 1 when a cost is far above
 * what is promised; it looks at the quickest round, so that a loaded machine does not fail it.
 */
import {
  compose,
  Database,
  type Operation,
  operationContext,
  type Policy,
  type Pool,
  queryOperation,
} from "@breakwater/core";
import { emptyResult, fakePool } from "@breakwater/core/testing";
import {
  adaptiveLimit,
  autosize,
  bulkhead,
  chaos,
  circuitBreaker,
  coalesce,
  commitResolution,
  destinations,
  fallback,
  hedge,
  leakWatch,
  retry,
  router,
  throttle,
  timeout,
} from "@breakwater/policies";
import {
  bulkhead as cockatielBulkhead,
  circuitBreaker as cockatielBreaker,
  ConsecutiveBreaker,
  handleAll,
  retry as cockatielRetry,
  wrap,
} from "cockatiel";
import CircuitBreaker from "opossum";

const short = process.argv.includes("--short");
const ROUNDS = short ? 8 : 25;
const TIMES = 20_000;
const FEW = 2_000;

const answer = Promise.resolve(emptyResult);
let answered = 0;

function answerAtOnce(): Promise<unknown> {
  answered += 1;
  return answer;
}

function answering(name: string): Pool {
  const pool = fakePool(() => emptyResult, name);
  const stats = pool.stats();
  // A fake pool remembers its calls; here it shall not.
  return Object.assign(pool, { execute: answerAtOnce, resize: () => undefined, stats: () => stats });
}

const probeIntervalMs = 1_000_000;
const one = (primary: Pool): Pool => router({ primary, probeIntervalMs });
const three = (primary: Pool): Pool =>
  router({ primary, replicas: [answering("replica 1"), answering("replica 2")], probeIntervalMs });
const stack = (nodes: (pool: Pool) => Pool) => (pool: Pool) =>
  compose(timeout({ limitMs: 30_000 }), retry(), commitResolution())(nodes(circuitBreaker()(pool)));

/** Each by itself with its defaults, as far as it can do without options. */
const ONE: Readonly<Record<string, Policy>> = {
  timeout: timeout({ limitMs: 30_000 }),
  retry: retry(),
  "commit resolution": commitResolution(),
  "router, one node": one,
  "router, three nodes": three,
  "circuit breaker": circuitBreaker(),
  bulkhead: bulkhead(),
  "adaptive limit": adaptiveLimit(),
  throttle: throttle(),
  fallback: fallback({ for: () => true, value: undefined }),
  "leak watch": leakWatch(),
  autosize: autosize({ max: 10 }),
  chaos: chaos(),
  destinations: (pool) => destinations({ to: { main: pool }, default: "main" }),
};
const STACKS: Readonly<Record<string, Policy>> = {
  "the recommended stack, one node": stack(one),
  "the recommended stack, three nodes": stack(three),
};
/** What is asked for where it is worth more than it costs. */
const DEARER: Readonly<Record<string, Policy>> = {
  "circuit breaker, slow calls": circuitBreaker({ slowCallMs: 1_000 }),
  "coalesce, each read by itself": coalesce(),
  "hedge, each read timed": hedge({ minimumCalls: 10 }),
};

const OPERATIONS: Readonly<Record<string, Operation<unknown>>> = {
  read: queryOperation({ text: "SELECT 1" }, { ...operationContext("read"), consistency: "eventual" }),
  write: queryOperation({ text: "INSERT" }, operationContext("write")),
};

type Call = () => Promise<unknown>;

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly call: Call;
  /** What is to be taken off. */
  readonly bare: string;
  /** Most nanoseconds and bytes on any machine; undefined where nothing is promised. */
  readonly most?: { readonly ns: number; readonly bytes: number } | undefined;
  readonly ns: number[];
  readonly bytes: number[];
}

const BARE = "the pool alone";
const rows: Row[] = [];
const pools: Pool[] = [];
const add = (name: string, call: Call, kind: string, bare: string = BARE, most?: Row["most"]): void => {
  rows.push({ name, kind, call, bare, most, ns: [], bytes: [] });
};
const addPool = (name: string, policy: Policy, most?: Row["most"]): void => {
  const pool = policy(answering(name));
  pools.push(pool);
  for (const [kind, operation] of Object.entries(OPERATIONS)) {
    add(name, () => pool.execute(operation), kind, BARE, most);
  }
};
addPool(BARE, (pool) => pool);
// Three times what is promised of them: they are measured on all kinds of machines.
for (const [name, policy] of Object.entries(ONE)) addPool(name, policy, { ns: 300, bytes: 1_600 });
for (const [name, policy] of Object.entries(STACKS)) addPool(name, policy, { ns: 1_500, bytes: 3_200 });
for (const [name, policy] of Object.entries(DEARER)) addPool(name, policy);
const FACE = "db.query of the pool alone";
const faces = { [FACE]: answering("face"), "db.query of the recommended stack": stack(one)(answering("stacked face")) };
for (const [name, pool] of Object.entries(faces)) {
  const db = new Database(pool);
  pools.push(pool);
  add(name, () => db.query("SELECT 1"), "read", FACE);
  add(name, () => db.query("INSERT"), "write", FACE);
}
const peer = wrap(
  cockatielRetry(handleAll, { maxAttempts: 3 }),
  cockatielBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
  cockatielBulkhead(10, 1_000),
);
add("cockatiel: retry, breaker, bulkhead", () => peer.execute(answerAtOnce), "read");
const opossum = new CircuitBreaker(answerAtOnce, { timeout: 5_000 });
add("opossum", () => opossum.fire(), "read");

async function repeat(call: Call, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) await call();
}

const collect = (globalThis as { readonly gc?: () => void }).gc;
let calls = 0;
for (let round = 0; round < ROUNDS; round += 1) {
  for (const { call, ns, bytes } of rows) {
    const begun = process.hrtime.bigint();
    await repeat(call, TIMES);
    const took = Number(process.hrtime.bigint() - begun) / TIMES;
    // So few that nothing is collected in between.
    collect?.();
    const heap = process.memoryUsage().heapUsed;
    await repeat(call, FEW);
    const grown = (process.memoryUsage().heapUsed - heap) / FEW;
    if ((await call()) !== emptyResult) throw new Error("a call was not answered by the pool");
    calls += TIMES + FEW + 1;
    // In the first rounds the engine compiles.
    if (round < 2) continue;
    ns.push(took);
    bytes.push(grown);
  }
}
if (answered < calls) throw new Error(`${calls} calls were made, and ${answered} have reached the pool`);

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const least = (numbers: readonly number[]): number => Math.min(...numbers);
const failures: string[] = [];
console.log("| | ns, median | ns, least | bytes | microtasks |\n| --- | --- | --- | --- | --- |");
for (const row of rows) {
  const { name, kind, most } = row;
  const base = rows.find((other) => other.name === row.bare && other.kind === kind) ?? row;
  const from = base === row ? { ns: [0], bytes: [0] } : base;
  const [usual, quickest] = [median(row.ns) - median(from.ns), least(row.ns) - least(from.ns)];
  const bytes = median(row.bytes) - median(from.bytes);
  const turns = (await microtasks(row.call)) - (base === row ? 0 : await microtasks(base.call));
  console.log(
    `| ${name}, ${kind} | ${[usual, quickest, bytes].map((each) => each.toFixed(0)).join(" | ")} | ${turns} |`,
  );
  if (most === undefined) continue;
  if (quickest > most.ns) failures.push(`${name}, ${kind}: ${quickest.toFixed(0)} ns, more than ${most.ns}`);
  if (collect && bytes > most.bytes)
    failures.push(`${name}, ${kind}: ${bytes.toFixed(0)} bytes, more than ${most.bytes}`);
}
opossum.shutdown();
await Promise.all(pools.map((pool) => pool.close()));
if (process.argv.includes("--check") && failures.length > 0) {
  console.error(failures.join("\n"));
  process.exitCode = 1;
}

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
