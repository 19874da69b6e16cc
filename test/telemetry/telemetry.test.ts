import { compose, database, type Database, driverPool, failureOf, StackOrderError } from "@breakwater/core";
import { failing, fakeDialect, type FakeDriver, fakeDriver, fakePool, ManualClock } from "@breakwater/core/testing";
import { telemetry, type TelemetryOptions } from "@breakwater/otel";
import { bulkhead, circuitBreaker, hedge, retry, router, timeout } from "@breakwater/policies";
import {
  type Attributes,
  context,
  diag,
  type HrTime,
  INVALID_SPAN_CONTEXT,
  metrics as metricsApi,
  SpanKind,
  SpanStatusCode,
  trace,
  type Span,
  type SpanContext,
  TraceFlags,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { DataPointType, type HistogramMetricData } from "@opentelemetry/sdk-metrics";
import {
  AlwaysOffSampler,
  createAlwaysRecordSampler,
  InMemorySpanExporter,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import * as incubating from "@opentelemetry/semantic-conventions/incubating";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";
import { MemorySdk } from "./sdk.ts";

let sdk: MemorySdk;
const opened = new Set<Database>();

beforeEach(() => {
  sdk = new MemorySdk();
});

afterEach(async () => {
  await Promise.all([...opened].map((db) => db.close({ drainMs: 0 })));
  opened.clear();
  await sdk.shutdown();
});

const dialect = { ...fakeDialect, name: "postgresql", judge: (error: unknown) => failureOf(error) };
const observed = (options: TelemetryOptions = {}): ReturnType<typeof telemetry> =>
  telemetry({ meterProvider: sdk.meterProvider, tracerProvider: sdk.tracerProvider, ...options });

/** A stack on a driver that answers as it is told. */
function stack(driver: FakeDriver, options: TelemetryOptions = {}, clock = new ManualClock()): Database {
  const pool = driverPool(driver, dialect, { name: "db", clock });
  const db = database(compose(observed({ clock, ...options }), retry({ clock, initialDelayMs: 1 }))(pool), { clock });
  opened.add(db);
  return db;
}

/** A time of the SDK as one number. */
const nanoseconds = ([seconds, rest]: HrTime = [0, 0]): number => seconds * 1e9 + rest;

/** Everything that was exported, as text. */
async function everything(): Promise<string> {
  const spans = sdk.spans.map(({ name, attributes, events, status }) => ({ name, attributes, events, status }));
  const metrics = [...(await sdk.metrics()).values()].map(({ descriptor, dataPoints }) => ({ descriptor, dataPoints }));
  return JSON.stringify([spans, metrics]);
}

describe("spans", () => {
  it("are of kind client, named after what the statement does, with the attributes of the conventions", async () => {
    const db = stack(fakeDriver(), { namespace: "shop", serverAddress: "db.example", serverPort: 5432 });
    await db.query("SELECT o.id FROM orders o JOIN public.customers c USING (id) WHERE o.id = $1", [7], {
      label: "page",
    });
    const [span] = sdk.spans;
    expect(sdk.spans).toHaveLength(1);
    expect(span).toMatchObject({ name: "SELECT orders public.customers", kind: SpanKind.CLIENT });
    expect(span?.status.code).toBe(SpanStatusCode.UNSET);
    expect(span?.attributes).toEqual({
      [incubating.ATTR_DB_SYSTEM_NAME]: incubating.DB_SYSTEM_NAME_VALUE_POSTGRESQL,
      [incubating.ATTR_DB_NAMESPACE]: "shop",
      [incubating.ATTR_DB_OPERATION_NAME]: "SELECT",
      [incubating.ATTR_DB_QUERY_SUMMARY]: "SELECT orders public.customers",
      [incubating.ATTR_SERVER_ADDRESS]: "db.example",
      [incubating.ATTR_SERVER_PORT]: 5432,
      "breakwater.call.label": "page",
      "breakwater.call.access": "read",
    });
  });

  it("have an event for each attempt and its node, and the number of attempts", async () => {
    const clock = new ManualClock();
    let calls = 0;
    const primary = fakePool(({ purpose }) => {
      if (purpose === "probe") return { role: "primary", systemId: undefined, timeline: 1, position: 1n };
      calls += 1;
      if (calls < 3) throw failing({ retry: "same-node", blames: "load" });
      return undefined;
    }, "n1");
    const db = database(compose(observed(), retry({ clock, initialDelayMs: 5 }))(router({ primary, clock })), {
      clock,
    });
    opened.add(db);
    const call = db.query("SELECT 1", [], { access: "write" });
    await clock.advance(1_000);
    await call;
    const [span] = sdk.spans;
    expect(span?.attributes["breakwater.call.attempts"]).toBe(3);
    const events = span?.events.map(({ name }) => name) ?? [];
    expect(events.filter((name) => name === "router: sent to a node")).toHaveLength(3);
    expect(events.filter((name) => name === "retry: runs it again")).toHaveLength(2);
    expect(span?.events.find(({ name }) => name === "router: sent to a node")?.attributes).toEqual({
      "breakwater.node.name": "n1",
      "breakwater.role": "primary",
      "breakwater.reason": "write",
    });
  });

  it("say in attributes where a call went of which there is nothing more to tell", async () => {
    const clock = new ManualClock();
    let calls = 0;
    const primary = fakePool(({ purpose }) => {
      if (purpose === "probe") return { role: "primary", systemId: undefined, timeline: 1, position: 1n };
      calls += 1;
      if (calls === 2) throw failing({ retry: "never" });
      if (calls === 3) throw failing({ retry: "same-node", blames: "load" });
      return undefined;
    }, "n1");
    const policies = compose(observed(), timeout({ clock, limitMs: 60_000 }), retry({ clock, initialDelayMs: 5 }));
    const db = database(policies(router({ primary, clock })), { clock });
    opened.add(db);
    const went = { "breakwater.node.name": "n1", "breakwater.reason": "no-replica" };
    await db.query("SELECT 1");
    expect(sdk.spans[0]?.attributes).toMatchObject(went);
    expect(sdk.spans[0]?.events).toEqual([]);
    await errorOf(db.query("SELECT 1"));
    expect(sdk.spans[1]?.attributes).toMatchObject(went);
    const failed = sdk.spans[1]?.events.map(({ name }) => name);
    expect(failed).toEqual(["router: sent to a node", "retry: does not run it again"]);
    const again = db.query("SELECT 1");
    await clock.advance(1_000);
    await again;
    const span = sdk.spans[2];
    expect(span?.attributes).toMatchObject({ ...went, "breakwater.call.attempts": 2 });
    expect(span?.events.map(({ name }) => name)).toEqual([
      "router: sent to a node",
      "retry: runs it again",
      "router: sent to a node",
    ]);
    // The first is told of later than it happened.
    const times = [span?.startTime, ...(span?.events ?? []).map(({ time }) => time), span?.endTime].map(nanoseconds);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it("hear nothing of what is noted after the call, as by a go that lost", async () => {
    const inner = fakePool();
    const db = database(observed()(inner));
    opened.add(db);
    await db.query("SELECT 1");
    const warned: string[] = [];
    const note = (message: string): void => void warned.push(message);
    diag.setLogger({ error: note, warn: note, info: note, debug: note, verbose: note });
    try {
      warned.length = 0;
      inner.calls[0]?.trace?.note("late", "too late");
    } finally {
      diag.disable();
    }
    expect(inner.calls[0]?.trace).toBeDefined();
    expect(sdk.spans[0]?.events).toEqual([]);
    expect(warned).toEqual([]);
  });

  it("are the parents of what happens inside, and children of what stands around", async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    try {
      const tracer = sdk.tracerProvider.getTracer("test");
      const db = stack(fakeDriver(() => tracer.startSpan("driver").end()));
      const outer = tracer.startSpan("request");
      await context.with(trace.setSpan(context.active(), outer), () => db.query("SELECT 1"));
      outer.end();
      const [driver, call, request] = sdk.spans;
      expect([driver?.name, call?.name, request?.name]).toEqual(["driver", "SELECT", "request"]);
      expect(driver?.parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
      expect(call?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    } finally {
      context.disable();
    }
  });

  it("say what an error is, and nothing that its message says", async () => {
    const error = Object.assign(new Error('invalid input: "hunter2"'), { code: "22P02", detail: "hunter2" });
    const db = stack(
      fakeDriver(() => {
        throw failing({ retry: "never", blames: "statement", connection: "keep" }, error);
      }),
    );
    await expect(db.query("INSERT INTO users VALUES ($1)", ["hunter2"])).rejects.toBe(error);
    const [span] = sdk.spans;
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(span?.attributes).toMatchObject({ "error.type": "22P02", "db.response.status_code": "22P02" });
    expect(await everything()).not.toContain("hunter2");
  });

  it("have the statement only where that is asked for, and then without its data", async () => {
    const text =
      "SELECT * FROM users /* hunter2 */ WHERE name = 'hunter2' AND age IN (4100.25, 4200.25, 4300.25) AND id = $1";
    const plain = stack(fakeDriver());
    await plain.query(text, ["hunter2"]);
    expect(sdk.spans[0]?.attributes).not.toHaveProperty("db.query.text");
    const told = stack(fakeDriver(), { queryText: true });
    await told.query(text, ["hunter2"]);
    expect(sdk.spans[1]?.attributes["db.query.text"]).toBe(
      "SELECT * FROM users WHERE name = ? AND age IN (?) AND id = $1",
    );
    expect(await everything()).not.toMatch(/hunter2|4[123]00\.25/);
  });
});

describe("which calls have a span", () => {
  const count = async (spans: TelemetryOptions["spans"], calls: number, clock = new ManualClock()): Promise<number> => {
    const before = sdk.spans.length;
    const db = stack(fakeDriver(), spans === undefined ? {} : { spans }, clock);
    for (let call = 0; call < calls; call += 1) await db.query("SELECT 1");
    return sdk.spans.length - before;
  };
  const within = async <T>(around: SpanContext | Span, run: () => Promise<T>): Promise<T> => {
    const parent = "spanContext" in around ? around : trace.wrapSpanContext(around);
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    try {
      return await context.with(trace.setSpan(context.active(), parent), run);
    } finally {
      context.disable();
    }
  };
  const sampled = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: TraceFlags.SAMPLED };

  it("is every one up to 1000 at once, and 1000 a second from then on", async () => {
    const clock = new ManualClock();
    const db = stack(fakeDriver(), {}, clock);
    for (let call = 0; call < 3_000; call += 1) await db.query("SELECT 1");
    expect(sdk.spans).toHaveLength(1_000);
    await clock.advance(500);
    for (let call = 0; call < 3_000; call += 1) await db.query("SELECT 1");
    expect(sdk.spans).toHaveLength(1_500);
    expect(await sdk.sum("db.client.operation.duration")).toBe(6_000);
  });

  it("is every one that fails, also of too many", async () => {
    const clock = new ManualClock();
    const db = stack(
      fakeDriver(({ text }) => {
        if (text === "SELECT no") throw new Error("no");
        return undefined;
      }),
      {},
      clock,
    );
    for (let call = 0; call < 1_500; call += 1) await db.query("SELECT 1");
    const before = performance.timeOrigin + performance.now();
    expect(await errorOf(db.query("SELECT no"))).toMatchObject({ message: "no" });
    const [span, ...others] = sdk.spans.slice(1_000);
    expect(others).toEqual([]);
    expect(span?.status.code).toBe(SpanStatusCode.ERROR);
    expect(span?.attributes).toMatchObject({ "error.type": "Error", "breakwater.call.access": "read" });
    // It began when the call did, as far as two clocks agree.
    expect(nanoseconds(span?.startTime) / 1e6).toBeGreaterThan(before - 1_000);
    expect(nanoseconds(span?.startTime)).toBeLessThanOrEqual(nanoseconds(span?.endTime));
  });

  it("is every one on request, and none", async () => {
    expect(await count("all", 1_100)).toBe(1_100);
    expect(await count("none", 10)).toBe(0);
    expect(await count("traced", 10)).toBe(0);
  });

  it("is every one within a span that has ended, or is recorded for something else than to be sent", async () => {
    const ended = sdk.tracerProvider.getTracer("test").startSpan("ended");
    ended.end();
    const started: string[] = [];
    const tracerProvider = new TracerProvider({
      sampler: createAlwaysRecordSampler(new AlwaysOffSampler()),
      spanProcessors: [
        {
          onStart: ({ name }) => void started.push(name),
          onEnd: () => undefined,
          forceFlush: () => Promise.resolve(),
          shutdown: () => Promise.resolve(),
        },
      ],
    });
    const recorded = tracerProvider.getTracer("test").startSpan("recorded");
    expect(recorded.spanContext().traceFlags).toBe(TraceFlags.NONE);
    const db = database(telemetry({ tracerProvider, spans: "traced", clock: new ManualClock() })(fakePool()));
    opened.add(db);
    await within(ended, () => db.query("SELECT 1"));
    await within(recorded, () => db.query("INSERT 1"));
    await db.query("UPDATE 1");
    expect(started).toEqual(["recorded", "SELECT", "INSERT"]);
    await tracerProvider.shutdown();
  });

  it("is every one that is made within a trace, however many", async () => {
    expect(await within(sampled, () => count("traced", 1_100))).toBe(1_100);
    expect(await within(sampled, () => count(undefined, 1_100))).toBe(1_100);
    expect(sdk.spans.every(({ parentSpanContext }) => parentSpanContext?.spanId === sampled.spanId)).toBe(true);
    // Of a parent that the sampler did not want there is nothing to be part of; `all` leaves that to the sampler.
    const dropped = { ...sampled, traceFlags: TraceFlags.NONE };
    expect(await within(dropped, () => count(undefined, 10))).toBe(0);
    expect(await within(dropped, () => count("traced", 10))).toBe(0);
    // What takes the place of a span where no SDK is registered.
    expect(await within(INVALID_SPAN_CONTEXT, () => count("traced", 10))).toBe(0);
  });

  it("is left to the sampler, and what that drops uses up nothing", async () => {
    const asked: Attributes[] = [];
    const sampler: Sampler = {
      shouldSample: (_context, _traceId, _name, _kind, attributes) => {
        asked.push(attributes);
        const kept = asked.length > 1_500;
        return { decision: kept ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
      },
      toString: () => "late",
    };
    const exporter = new InMemorySpanExporter();
    const tracerProvider = new TracerProvider({ sampler, spanProcessors: [new SimpleSpanProcessor({ exporter })] });
    const inner = fakePool();
    const db = database(telemetry({ tracerProvider, clock: new ManualClock() })(inner));
    opened.add(db);
    for (let call = 0; call < 1_510; call += 1) await db.query("SELECT 1");
    expect(exporter.getFinishedSpans()).toHaveLength(10);
    expect(asked[0]).toMatchObject({ "db.operation.name": "SELECT", "db.query.summary": "SELECT" });
    // Nobody is to write down what nobody keeps.
    expect(inner.calls.at(1_499)?.trace).toBeUndefined();
    expect(inner.calls.at(1_500)?.trace).toBeDefined();
    await tracerProvider.shutdown();
  });
});

describe("durations", () => {
  it("are a histogram in seconds with the recommended buckets, all attempts of a call together", async () => {
    const clock = new ManualClock();
    let calls = 0;
    const driver = fakeDriver(async () => {
      calls += 1;
      await new Promise<void>((resolve) => clock.setTimer(20, resolve));
      if (calls === 1) throw failing({ retry: "same-node", blames: "load", connection: "keep" });
    });
    const db = stack(driver, {}, clock);
    const call = db.query("SELECT 1");
    for (let step = 0; step < 20; step += 1) await clock.advance(10);
    await call;
    const metric = (await sdk.metrics()).get("db.client.operation.duration") as HistogramMetricData;
    expect(metric.descriptor.unit).toBe("s");
    expect(metric.dataPointType).toBe(DataPointType.HISTOGRAM);
    const [point] = metric.dataPoints;
    expect(point?.value.buckets.boundaries).toEqual([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]);
    expect(point?.value.count).toBe(1);
    expect(point?.value.sum).toBeGreaterThanOrEqual(0.04);
    expect(point?.value.sum).toBeLessThan(0.2);
  });

  it("are told apart by error, and leave out connections that a caller holds", async () => {
    let fails = false;
    const db = stack(
      fakeDriver(() => {
        if (fails) throw failing({ retry: "never" }, Object.assign(new Error("no"), { code: "23505" }));
      }),
    );
    const connection = await db.connect();
    await connection.query("SELECT 1");
    connection.release();
    await db.transaction((tx) => tx.query("SELECT 1"));
    await db.query("SELECT 1");
    fails = true;
    await errorOf(db.query("SELECT 1"));
    const name = "db.client.operation.duration";
    expect(await sdk.sum(name, { "db.operation.name": "TRANSACTION" })).toBe(1);
    expect(await sdk.sum(name, { "db.operation.name": "SELECT", "error.type": "23505" })).toBe(1);
    expect(await sdk.sum(name)).toBe(3);
  });
});

describe("connections", () => {
  it("have the metrics of the conventions, by pool", async () => {
    const driver = fakeDriver(undefined, 2);
    const db = stack(driver);
    const [one, other] = [await db.connect(), await db.connect()];
    const waiting = db.query("SELECT 1");
    const pool = { "db.client.connection.pool.name": "db" };
    expect(await sdk.sum("db.client.connection.count", { ...pool, "db.client.connection.state": "used" })).toBe(2);
    expect(await sdk.sum("db.client.connection.pending_requests", pool)).toBe(1);
    expect(await sdk.sum("db.client.connection.max", pool)).toBe(2);
    one.release();
    await waiting;
    other.release();
    const idle = { ...pool, "db.client.connection.state": "idle" };
    await until("both to be idle", async () => (await sdk.sum("db.client.connection.count", idle)) === 2);
    expect(await sdk.sum("db.client.connection.use_time", pool)).toBe(3);
    expect(await sdk.sum("db.client.connection.wait_time", pool)).toBe(3);
    driver.listener?.opened?.(12);
    expect(await sdk.sum("db.client.connection.create_time", pool)).toBe(1);
  });

  it("count calls that got none in time", async () => {
    const clock = new ManualClock();
    const pool = driverPool(fakeDriver(undefined, 1), dialect, { name: "db", clock, acquireTimeoutMs: 50 });
    const db = database(observed({ clock })(pool), { clock });
    opened.add(db);
    const held = await db.connect();
    const late = errorOf(db.query("SELECT 1"));
    await clock.advance(60);
    expect((await late).code).toBe("ERR_BREAKWATER_TIMEOUT");
    held.release();
    expect(await sdk.sum("db.client.connection.timeouts", { "db.client.connection.pool.name": "db" })).toBe(1);
    const failed = { "error.type": "ERR_BREAKWATER_TIMEOUT" };
    expect(await sdk.sum("db.client.operation.duration", failed)).toBe(1);
  });
});

describe("the times of connections", () => {
  const calls = async (connectionTimes: "all" | "sampled" | "none"): Promise<number> => {
    const clock = new ManualClock();
    const db = stack(fakeDriver(), { connectionTimes }, clock);
    for (let call = 0; call < 500; call += 1) await db.query("SELECT 1");
    const before = await sdk.sum("db.client.connection.use_time");
    await clock.advance(150);
    for (let call = 0; call < 10; call += 1) await db.query("SELECT 1");
    expect(await sdk.sum("db.client.operation.duration")).toBe(510);
    expect((await sdk.sum("db.client.connection.use_time")) - before).toBe(connectionTimes === "none" ? 0 : 10);
    return before;
  };

  it("are those of every call on request", async () => {
    expect(await calls("all")).toBe(500);
  });

  it("are those of so many within a moment, and again in the next one", async () => {
    expect(await calls("sampled")).toBe(100);
  });

  it("are left out on request", async () => {
    expect(await calls("none")).toBe(0);
  });
});

describe("what policies do", () => {
  it("is counted: retries, circuits, rejections", async () => {
    const clock = new ManualClock();
    const inner = fakePool(() => {
      throw failing({ blames: "node", retry: "same-node" });
    }, "db");
    const breaker = circuitBreaker({ clock, trip: { kind: "consecutive", failures: 2 } });
    const db = database(compose(observed(), retry({ clock, maxRetries: 2 }), bulkhead({ clock }), breaker)(inner), {
      clock,
    });
    opened.add(db);
    const told = { scheduled: 0, opened: 0 };
    db.on("retry:scheduled", () => (told.scheduled += 1));
    db.on("circuit-breaker:opened", () => (told.opened += 1));
    const call = errorOf(db.query("SELECT 1"));
    for (let step = 0; step < 50; step += 1) await clock.advance(100);
    await call;
    expect(told.scheduled).toBeGreaterThan(0);
    expect(await sdk.sum("breakwater.retries")).toBe(told.scheduled);
    const opening = { "breakwater.circuit.state": "open" };
    expect(await sdk.sum("breakwater.circuit_breaker.transitions", opening)).toBe(told.opened);
    expect(await sdk.sum("breakwater.circuit_breaker.state")).toBe(1);
    expect(await sdk.series("breakwater.retry.budget")).toHaveLength(1);
  });
});

describe("low cardinality", () => {
  it("holds whatever callers send: texts, tables, labels, errors", async () => {
    let call = 0;
    const db = stack(
      fakeDriver(() => {
        call += 1;
        const code = `Z${String(call % 1_000).padStart(4, "0")}`;
        if (call % 2 === 0)
          throw failing({ retry: "never", connection: "keep" }, Object.assign(new Error("x"), { code }));
      }),
      { maxSummaries: 50 },
    );
    for (let each = 0; each < 3_000; each += 1) {
      const text = `SELECT ${each} FROM part_${each} WHERE note = 'text ${each}'`;
      await db.query(text, [], { label: `label ${each}` }).catch(() => undefined);
    }
    const series = await sdk.series("db.client.operation.duration");
    expect(series.reduce((sum, { value }) => sum + value, 0)).toBe(3_000);
    // Kinds times kinds of errors is the bound; what a caller sends does not lift it.
    const kinds = new Set(
      series.map(({ attributes }) =>
        JSON.stringify([attributes["db.query.summary"], attributes["breakwater.call.label"]]),
      ),
    );
    expect(kinds.size).toBeLessThanOrEqual(2 * (50 + 100) + 1);
    const errors = new Set(series.map(({ attributes }) => attributes["error.type"]));
    expect(errors.size).toBeLessThanOrEqual(66);
    expect(new Set(series.map(({ attributes }) => attributes["db.query.summary"])).size).toBeLessThanOrEqual(51);
    expect(await everything()).not.toContain("text 17");
  });
});

describe("without an SDK", () => {
  it("hands calls on as they are, and listens to nothing", async () => {
    const inner = fakePool();
    const db = database(telemetry()(inner));
    opened.add(db);
    const before = inner.events.size;
    await db.query("SELECT 1");
    expect(inner.events.size).toBe(before);
    expect(inner.calls[0]?.trace).toBeUndefined();
  });

  it("finds one that is registered later", async () => {
    const inner = fakePool();
    const db = database(telemetry()(inner));
    opened.add(db);
    await db.query("SELECT 1");
    metricsApi.setGlobalMeterProvider(sdk.meterProvider);
    try {
      for (let call = 0; call < 2_100; call += 1) await db.query("SELECT 1");
      expect(await sdk.sum("db.client.operation.duration")).toBeGreaterThan(1_000);
    } finally {
      metricsApi.disable();
    }
  });
});

describe("the policy", () => {
  it("must stand outside what sends calls more than once, and once", () => {
    const misplaced = [retry(), hedge()].map((policy) => () => compose(policy, observed())(fakePool()));
    for (const build of misplaced) expect(build).toThrow(StackOrderError);
    expect(() => compose(observed(), observed())(fakePool())).toThrow(StackOrderError);
    expect(() => router({ primary: observed()(fakePool()) })).toThrow(StackOrderError);
  });

  it.each([
    { meterProvider: {} as never },
    { tracerProvider: 1 as never },
    { maxSummaries: 0 },
    { queryText: "yes" as never },
    { namespace: "" },
    { serverPort: -1 },
    { connectionTimes: 1 as never },
    { unknown: 1 } as never,
  ] as TelemetryOptions[])("refuses %o", (options) => {
    expect(() => telemetry(options)).toThrow(RangeError);
  });

  it("stops listening when the stack is closed", async () => {
    const driver = fakeDriver();
    const pool = driverPool(driver, dialect, { name: "db" });
    const db = database(observed()(pool));
    expect(pool.events.size).toBeGreaterThan(0);
    await db.close();
    expect(pool.events.size).toBe(0);
    expect(await sdk.series("db.client.connection.count")).toEqual([]);
  });
});
