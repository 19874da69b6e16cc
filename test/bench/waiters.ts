/**
 * What it costs to wait in line: entering, being served and leaving, by how many wait, and the memory of each. Draws
 * docs/overload-waiters.svg.
 *
 *     node test/bench/waiters.ts
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { compose, driverPool, operationContext, type Pool, queryOperation } from "@breakwater/core";
import { emptyResult, fakeDialect, fakeDriver, fakePool } from "@breakwater/core/testing";
import { adaptiveLimit, bulkhead, throttle } from "@breakwater/policies";
import { writeCharts } from "./chart.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** A line, and the way to let those in it go on. */
interface Queue {
  readonly pool: Pool;
  readonly open: () => void;
}

/** What answers once the gate is open. */
function gated(): { readonly answer: () => Promise<typeof emptyResult>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  return { answer: () => gate.then(() => emptyResult), open };
}

const MANY = 1_000_000;
const QUEUES: Readonly<Record<string, () => Queue>> = {
  "pool of the core": () => {
    const { answer, open } = gated();
    const pool = driverPool(fakeDriver(answer, 1), fakeDialect, { name: "core", acquireTimeoutMs: 60_000 });
    return { pool, open };
  },
  bulkhead: () => {
    const { answer, open } = gated();
    const limits = { maxConcurrent: 1, maxQueued: MANY, maxWaitMs: 60_000 };
    return { pool: bulkhead(limits)(fakePool(answer)), open };
  },
  "bulkhead, 100 tenants": () => {
    const { answer, open } = gated();
    const limits = { maxConcurrent: 1, maxQueued: MANY, maxWaitMs: 60_000 };
    return { pool: bulkhead({ ...limits, fairBy: ({ label }) => label })(fakePool(answer)), open };
  },
};

/** What does not queue: calls that run, for the same comparison. */
const RUNNING: Readonly<Record<string, () => Queue>> = {
  "adaptiveLimit and throttle": () => {
    const { answer, open } = gated();
    const fake = fakePool(answer);
    const roomy: Pool = { ...fake, stats: () => ({ ...fake.stats(), max: MANY }) };
    return { pool: compose(throttle(), adaptiveLimit({ initial: MANY }))(roomy), open };
  },
};

interface Cost {
  readonly waiting: number;
  /** Microseconds each. */
  readonly enter: number;
  readonly serve: number;
  readonly leave: number;
  readonly bytes: number;
}

async function cost(make: () => Queue, waiting: number): Promise<Cost> {
  const call = (pool: Pool, index: number, signal?: AbortSignal): Promise<unknown> => {
    const priority = (["critical", "normal", "sheddable"] as const)[index % 3] ?? "normal";
    const context = { ...operationContext("read"), priority, label: `tenant ${index % 100}`, signal };
    return pool.execute(queryOperation({ text: "SELECT 1" }, context));
  };
  const served = make();
  const holder = call(served.pool, 0);
  collect();
  const before = process.memoryUsage().heapUsed;
  const entered = performance.now();
  const calls: Promise<unknown>[] = [];
  for (let index = 0; index < waiting; index += 1) calls.push(call(served.pool, index));
  const enter = performance.now() - entered;
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const bytes = process.memoryUsage().heapUsed - before;
  const opened = performance.now();
  served.open();
  await Promise.all([holder, ...calls]);
  const serve = performance.now() - opened;
  await served.pool.close();

  const left = make();
  const held = call(left.pool, 0);
  const controllers = Array.from({ length: waiting }, () => new AbortController());
  const gone = controllers.map(({ signal }, index) => call(left.pool, index, signal).catch(() => undefined));
  await new Promise((resolve) => setImmediate(resolve));
  // In no order: a queue that searches for who leaves would show it.
  const order = controllers.map((controller, index) => ({ controller, key: (index * 7_919) % waiting }));
  order.sort((a, b) => a.key - b.key);
  const aborted = performance.now();
  for (const { controller } of order) controller.abort();
  const leave = performance.now() - aborted;
  left.open();
  await Promise.all([held, ...gone]);
  await left.pool.close();
  const each = (ms: number): number => (ms * 1_000) / waiting;
  return { waiting, enter: each(enter), serve: each(serve), leave: each(leave), bytes: bytes / waiting };
}

/** The least of some rounds: what is more is the machine's. */
async function best(make: () => Queue, waiting: number): Promise<Cost> {
  const rounds: Cost[] = [];
  const count = Math.min(30, Math.max(5, Math.ceil(20_000 / waiting)));
  for (let round = 0; round < count; round += 1) rounds.push(await cost(make, waiting));
  const least = (key: keyof Cost): number => Math.min(...rounds.map((one) => one[key]));
  const bytes = rounds.map((one) => one.bytes).toSorted((a, b) => a - b)[count >> 1] ?? 0;
  return { waiting, enter: least("enter"), serve: least("serve"), leave: least("leave"), bytes };
}

const SIZES = [100, 316, 1_000, 3_162, 10_000, 31_623];
const results: [string, Cost[]][] = [];
for (const [name, make] of Object.entries({ ...QUEUES, ...RUNNING })) {
  await best(make, 1_000);
  const costs: Cost[] = [];
  for (const size of SIZES) costs.push(await best(make, size));
  results.push([name, costs]);
  console.log(name);
  for (const { waiting, enter, serve, leave, bytes } of costs) {
    const figures = [enter, serve, leave].map((figure) => figure.toFixed(2)).join(" / ");
    console.log(`  ${waiting}: enter / served / leave ${figures} µs, ${Math.round(bytes)} bytes each`);
  }
}

const lines = (of: "enter" | "serve" | "leave", only: readonly string[]) =>
  results
    .filter(([name]) => only.includes(name))
    .map(([name, costs]) => ({ name, points: costs.map((one) => [one.waiting, one[of]] as const) }));
const common = { x: "callers that wait", y: "µs each", logarithmic: true };
const flat = "The lines stay level: the cost of one does not grow with the number of those who wait.";
const queues = Object.keys(QUEUES);
writeCharts("overload-waiters.svg", [
  { ...common, title: "To get in line", description: flat, lines: lines("enter", queues) },
  { ...common, title: "To be served", description: flat, lines: lines("serve", queues) },
  { ...common, title: "To leave the line, in no order", description: flat, lines: lines("leave", queues) },
]);
