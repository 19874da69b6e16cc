/**
 * Prints what telemetry costs: the recommended stack without it, with it and nobody listening, with metrics, and with metrics
 * and spans; over a pool that answers at once, and on a real server with one and with sixteen callers.
 */
import { compose, database, type Database, type Policy } from "@breakwater/core";
import { emptyResult, fakePool } from "@breakwater/core/testing";
import { telemetry } from "@breakwater/otel";
import { circuitBreaker, commitResolution, retry, router, timeout } from "@breakwater/policies";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, InMemorySpanExporter, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { breakwater } from "breakwater";
import { figure, measure } from "./measure.ts";
import { startServer } from "./server.ts";

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 10_000 });
const meterProvider = new MeterProvider({ readers: [reader] });
// What is exported is thrown away.
const spans = new InMemorySpanExporter();
const nowhere: SpanExporter = {
  export(batch, done) {
    spans.reset();
    spans.export(batch, done);
  },
  shutdown: () => spans.shutdown(),
};
const tracerProvider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: nowhere })] });

const WAYS: Readonly<Record<string, readonly Policy[]>> = {
  "without telemetry": [],
  "without telemetry, again": [],
  "nobody listens": [telemetry()],
  metrics: [telemetry({ meterProvider })],
  "metrics, all times of connections": [telemetry({ meterProvider, connectionTimes: "all" })],
  "metrics and spans": [telemetry({ meterProvider, tracerProvider })],
};

/** A call that is answered at once. */
function atOnce(policies: readonly Policy[]): Database {
  const answer = Promise.resolve(emptyResult);
  const pool = Object.assign(fakePool(), { execute: () => answer });
  const routed = router({ primary: circuitBreaker()(pool), probeIntervalMs: 1_000_000 });
  return database(compose(...policies, timeout({ limitMs: 30_000 }), retry(), commitResolution())(routed));
}

const stacks = Object.entries(WAYS).map(([name, policies]) => ({ name, db: atOnce(policies), rounds: [] as number[] }));
const CALLS = 5_000;
for (let round = 0; round < 60; round += 1) {
  for (const { db, rounds } of stacks) {
    const began = process.hrtime.bigint();
    for (let call = 0; call < CALLS; call += 1) await db.query("SELECT 1", [], { access: "write" });
    if (round >= 10) rounds.push(Number(process.hrtime.bigint() - began) / CALLS);
  }
}
const bare = stacks[0]?.rounds ?? [];
for (const { name, db, rounds } of stacks) {
  const ratio = figure(rounds.map((ns, round) => (bare[round] ?? 0) / ns));
  console.log(`at once, ${name}: ${figure(rounds).median.toFixed(0)} ns, throughput ${ratio.median.toFixed(3)}`);
  await db.close();
}

const server = await startServer();
const clients = Object.entries(WAYS).map(([name, policies]) => {
  const db = breakwater({ primary: server.url, policies });
  return { name, query: (text: string, values: unknown[]) => db.query(text, values), close: () => db.close() };
});
const text = "SELECT id, name, price, stock, changed FROM bench_items WHERE id = $1";
const point = (client: (typeof clients)[number]) => () => client.query(text, [1 + Math.floor(Math.random() * 99_999)]);
for (const callers of [1, 16]) {
  const how = { rounds: Number(process.env["ROUNDS"] ?? 30), sliceMs: 150 };
  const { rows } = await measure({ name: "point", callers, of: point as never }, clients, server, how);
  for (const { client, perSecond, ratios } of rows) {
    const { median, spread } = ratios.perSecond;
    const cpu = ratios.clientCpu.median.toFixed(3);
    console.log(
      `server, ${callers} callers, ${client}: ${perSecond.toFixed(0)}/s, throughput ${median.toFixed(3)} ± ${spread.toFixed(3)}, client CPU ${cpu}`,
    );
  }
}
await Promise.all(clients.map((client) => client.close()));
await server.close();
await meterProvider.shutdown();
await tracerProvider.shutdown();
