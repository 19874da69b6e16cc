/**
 * Prints what telemetry costs as a table: the recommended stack without it, with it and nobody listening, with metrics, with
 * spans of some and of all calls; and what OpenTelemetry's own SDK takes for a span and a measurement that are made by hand.
 * Over a pool that answers at once, and on a real server, in turns.
 */
import { compose, database, type Database, policy, type Policy } from "@breakwater/core";
import { emptyResult, fakePool } from "@breakwater/core/testing";
import { telemetry } from "@breakwater/otel";
import { circuitBreaker, commitResolution, retry, router, timeout } from "@breakwater/policies";
import { context, ROOT_CONTEXT, SpanKind, trace, TraceFlags } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  InMemorySpanExporter,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { breakwater } from "breakwater";
import { type Figure, figure, measure } from "./measure.ts";
import { startServer } from "./server.ts";

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 10_000 });
const meterProvider = new MeterProvider({ readers: [reader] });
// What is exported is thrown away.
const memory = new InMemorySpanExporter();
const nowhere: SpanExporter = {
  export(batch, done) {
    memory.reset();
    memory.export(batch, done);
  },
  shutdown: () => memory.shutdown(),
};
const tracing = (root: Sampler): TracerProvider =>
  new TracerProvider({
    sampler: new ParentBasedSampler({ root }),
    spanProcessors: [new BatchSpanProcessor({ exporter: nowhere })],
  });
const always = tracing(new AlwaysOnSampler());
const tenth = tracing(new TraceIdRatioBasedSampler(0.1));
const hundredth = tracing(new TraceIdRatioBasedSampler(0.01));
const [traceId, spanId] = ["a".repeat(32), "b".repeat(16)];
const unsampled = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.NONE });

/** A span and a measurement for each call, and nothing else: what remains if the policy cost nothing. */
function byHand(): Policy {
  const tracer = always.getTracer("bench");
  const duration = meterProvider.getMeter("bench").createHistogram("bench.duration", { unit: "s" });
  const measured = {
    "db.system.name": "postgresql",
    "db.operation.name": "SELECT",
    "db.query.summary": "SELECT bench_items",
  };
  const attributes = { ...measured, "db.collection.name": "bench_items" };
  return policy("by-hand", (operation, next) => {
    const span = tracer.startSpan("SELECT bench_items", { kind: SpanKind.CLIENT, attributes });
    const startedMs = performance.now();
    const ended = (): void => {
      duration.record((performance.now() - startedMs) / 1_000, measured);
      span.end();
    };
    return context
      .with(trace.setSpan(context.active(), span), () => next(operation))
      .then(
        (value) => {
          ended();
          return value;
        },
        (error: unknown) => {
          ended();
          throw error;
        },
      );
  });
}

interface Way {
  readonly name: string;
  readonly policies: () => readonly Policy[];
  /** Under which span its calls are made; undefined for none. */
  readonly under?: typeof unsampled;
}

const spansOf =
  (tracerProvider: TracerProvider, spans: "all" | "sampled" = "all") =>
  (): readonly Policy[] => [telemetry({ meterProvider, tracerProvider, spans })];
const WAYS: readonly Way[] = [
  { name: "without telemetry", policies: () => [] },
  { name: "without telemetry, again", policies: () => [] },
  { name: "nobody listens", policies: () => [telemetry()] },
  { name: "metrics", policies: () => [telemetry({ meterProvider })] },
  { name: "metrics, all times of connections", policies: () => [telemetry({ meterProvider, connectionTimes: "all" })] },
  { name: "metrics and spans, by default", policies: spansOf(always, "sampled") },
  { name: "… in traces that are not sampled", policies: spansOf(always, "sampled"), under: unsampled },
  { name: "metrics, a span for every call", policies: spansOf(always) },
  { name: "… of which the SDK keeps 10 %", policies: spansOf(tenth) },
  { name: "… of which the SDK keeps 1 %", policies: spansOf(hundredth) },
  { name: "the SDK alone, a span for every call", policies: () => [byHand()] },
];

/** The stack over a pool that answers at once. */
function atOnce(policies: readonly Policy[]): Database {
  const answer = Promise.resolve(emptyResult);
  const probed = Promise.resolve({ role: "primary", systemId: undefined, timeline: 1, position: 1n });
  const execute = ({ purpose }: { purpose: string }): Promise<unknown> => (purpose === "probe" ? probed : answer);
  const pool = Object.assign(fakePool(), { execute: execute as never });
  const routed = router({ primary: circuitBreaker()(pool), probeIntervalMs: 1_000_000 });
  return database(compose(...policies, timeout({ limitMs: 30_000 }), retry(), commitResolution())(routed));
}

const text = "SELECT id, name, price, stock, changed FROM bench_items WHERE id = $1";
const rounds = Number(process.env["ROUNDS"] ?? 15);
const CALLS = 5_000;

/** How much more time on a processor a call takes in each way, in microseconds, the SDK's work in between included. */
async function costs(): Promise<ReadonlyMap<string, Figure>> {
  const stacks = WAYS.map(({ name, policies, under = ROOT_CONTEXT }) => {
    const db = atOnce(policies());
    return { name, db, query: () => context.with(under, () => db.query(text, [1])), took: [] as number[] };
  });
  for (let round = -5; round < 2 * rounds; round += 1) {
    for (const { query, took } of stacks) {
      const before = process.cpuUsage();
      for (let call = 0; call < CALLS; call += 1) {
        await query();
        // Batches of spans are exported in between.
        if (call % 250 === 0) await new Promise(setImmediate);
      }
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) took.push((user + system) / CALLS);
    }
  }
  await Promise.all(stacks.map(({ db }) => db.close()));
  const bare = stacks[0]?.took ?? [];
  return new Map(stacks.map(({ name, took }) => [name, figure(took.map((us, round) => us - (bare[round] ?? 0)))]));
}

/** Throughput in each way, relative to the first. */
async function ratios(callers: readonly number[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const server = await startServer();
  const clients = WAYS.map(({ name, policies, under = ROOT_CONTEXT }) => {
    const db = breakwater({ primary: server.url, policies: policies() });
    const query = (values: unknown[]) => context.with(under, () => db.query(text, values));
    return { name, query, close: () => db.close() };
  });
  const cells = new Map<string, string[]>(WAYS.map(({ name }) => [name, []]));
  for (const count of callers) {
    const point = (client: (typeof clients)[number]) => () => client.query([1 + Math.floor(Math.random() * 99_999)]);
    // Long enough that what has been saved up for spans while the others had their turns is soon used up.
    const how = { rounds, sliceMs: 500 };
    const { rows } = await measure(
      { name: "point", callers: count, of: point as never },
      clients as never,
      server,
      how,
    );
    for (const { client, ratios: of } of rows) cells.get(client)?.push(shown(of.perSecond, 2));
  }
  await Promise.all(clients.map((client) => client.close()));
  await server.close();
  return cells;
}

/** A median, and how far the middle half of the rounds lies around it. */
function shown({ median, spread }: Figure, digits: number): string {
  return `${median.toFixed(digits)} ± ${(spread / 2).toFixed(digits)}`;
}

// None of them: without a server.
const CALLERS = (process.env["CALLERS"] ?? "1,16,64").split(",").map(Number).filter(Boolean);
const cost = await costs();
const cells = CALLERS.length === 0 ? new Map<string, readonly string[]>() : await ratios(CALLERS);
const heads = ["", "µs more a call", ...CALLERS.map((count) => `calls/s, ${count} at once`)];
console.log(`| ${heads.join(" | ")} |\n|${heads.map(() => "---|").join("")}`);
for (const { name } of WAYS) {
  const more = cost.get(name);
  console.log(`| ${[name, more === undefined ? "" : shown(more, 1), ...(cells.get(name) ?? [])].join(" | ")} |`);
}
await meterProvider.shutdown();
await Promise.all([always, tenth, hundredth].map((provider) => provider.shutdown()));
