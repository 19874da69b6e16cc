import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { database } from "../face/database.ts";
import { PoolMeter, sumOfMetrics } from "./metrics.ts";
import { monitor, type MonitorOptions, type PoolDelta } from "./monitor.ts";
import type { NodeStats, Pool, PoolStats } from "../contract/pool.ts";
import { fakePool, ManualClock } from "../testing/index.ts";

/** A pool whose counts are made by hand; with nodes, one of several. */
function counted(nodes?: () => readonly NodeStats[]) {
  const clock = new ManualClock(500);
  const inner = fakePool();
  const meter = new PoolMeter();
  const stats = (): PoolStats => {
    if (nodes === undefined) return { ...inner.stats(), metrics: meter.snapshot() };
    const of = nodes();
    return { ...inner.stats(), nodes: of, metrics: sumOfMetrics(of.map(({ pool }) => pool.metrics)) };
  };
  const pool: Pool = { ...inner, stats };
  const told: { readonly snapshot: PoolStats; readonly delta: PoolDelta }[] = [];
  const watch = (options: Partial<MonitorOptions> = {}) =>
    monitor(database(pool, { clock }), {
      intervalMs: 1_000,
      clock,
      report: (snapshot, delta) => told.push({ snapshot, delta }),
      ...options,
    });
  return { clock, pool, inner, meter, told, watch };
}

const call = (meter: PoolMeter, ms: number, error?: unknown): void => {
  meter.ended(0, 1, 1 + ms);
  if (error !== undefined) meter.failed(error);
};

const node = (name: string, meter: PoolMeter): NodeStats => ({
  name,
  role: "replica",
  state: "up",
  pool: { ...fakePool(undefined, name).stats(), metrics: meter.snapshot() },
});

describe("monitor", () => {
  let warned: string[];
  let warn: ReturnType<typeof vi.spyOn>;
  beforeEach(() => {
    warned = [];
    warn = vi.spyOn(process, "emitWarning").mockImplementation((message) => void warned.push(String(message)));
  });
  afterEach(() => warn.mockRestore());

  it("reports at each interval what was done in it, and how the pool stands", async () => {
    const { clock, meter, told, watch } = counted();
    call(meter, 900);
    const running = watch();
    for (let each = 0; each < 100; each += 1) call(meter, 10);
    await clock.advance(999);
    expect(told).toEqual([]);
    await clock.advance(1);
    for (let each = 0; each < 50; each += 1) call(meter, 20, new Error("mine"));
    await clock.advance(1_000);
    await clock.advance(1_000);
    expect(told.map(({ delta }) => [delta.calls, delta.failed, delta.callsPerSecond, delta.elapsedMs])).toEqual([
      [100, 0, 100, 1_000],
      [50, 50, 50, 1_000],
      [0, 0, 0, 1_000],
    ]);
    expect(told.map(({ delta }) => delta.execution.count)).toEqual([100, 50, 0]);
    // The call of 900 ms was before.
    expect(told[0]?.delta.execution.p999).toBeLessThan(10.4);
    expect(told[1]?.delta.execution.p50).toBeGreaterThanOrEqual(20);
    expect(told[0]?.snapshot.metrics.calls).toBe(101);
    running.stop();
  });

  it("is over when it is stopped, disposed of, or its pool is closed, and leaves nothing behind", async () => {
    for (const how of ["stop", "dispose", "close"]) {
      const { clock, pool, told, watch } = counted();
      const running = watch();
      await clock.advance(1_000);
      if (how === "stop") running.stop();
      else if (how === "dispose") running[Symbol.dispose]();
      else await pool.close();
      expect([clock.pending, pool.events.size], how).toEqual([0, 0]);
      await clock.advance(5_000);
      expect(told).toHaveLength(1);
      running.stop();
    }
  });

  it("goes on when a node of its pool is closed", async () => {
    const { clock, pool, told, watch } = counted();
    const running = watch();
    pool.events.emit("pool:closed", { pool: "one of its nodes" });
    await clock.advance(1_000);
    expect(told).toHaveLength(1);
    running.stop();
  });

  it("can be stopped by its own report", async () => {
    const { clock, watch } = counted();
    const running = watch({ report: () => running.stop() });
    await clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });

  it("is not broken by a report that throws or rejects, and says so", async () => {
    const { clock, watch } = counted();
    let times = 0;
    const running = watch({
      report: () => {
        times += 1;
        if (times === 1) throw new Error("first");
        return Promise.reject(new Error("second"));
      },
    });
    await clock.advance(3_000);
    expect(times).toBe(3);
    expect(warned.map((text) => text.replace(/.*: /, ""))).toEqual(["first", "second", "second"]);
    running.stop();
  });

  it("is not broken by statistics that throw", async () => {
    const { clock, pool, watch, told } = counted();
    const running = watch();
    const stats = pool.stats.bind(pool);
    pool.stats = () => {
      throw new Error("no numbers today");
    };
    await clock.advance(1_000);
    pool.stats = stats;
    await clock.advance(1_000);
    expect(warned).toHaveLength(1);
    expect(told.map(({ delta }) => delta.elapsedMs)).toEqual([2_000]);
    running.stop();
  });

  it("makes no report while the last one is still at work, and then one of the whole time", async () => {
    const { clock, meter, watch } = counted();
    const deltas: PoolDelta[] = [];
    let finish = (): void => undefined;
    const running = watch({
      report: (_snapshot, delta) => {
        deltas.push(delta);
        return new Promise<void>((resolve) => (finish = resolve));
      },
    });
    await clock.advance(1_000);
    call(meter, 5);
    await clock.advance(2_500);
    call(meter, 5);
    expect(deltas).toHaveLength(1);
    finish();
    await clock.advance(500);
    expect(deltas.map(({ calls, elapsedMs }) => [calls, elapsedMs])).toEqual([
      [0, 1_000],
      [2, 3_000],
    ]);
    running.stop();
    finish();
  });

  it("does not make up for intervals that a blocked process missed", async () => {
    const { clock, told, watch } = counted();
    let blockedMs = 0;
    const late = { now: () => clock.now() + blockedMs, setTimer: clock.setTimer.bind(clock) };
    const running = watch({ clock: late });
    blockedMs = 60_000;
    await clock.advance(1_000);
    await clock.advance(1_000);
    expect(told.map(({ delta }) => delta.elapsedMs)).toEqual([61_000, 1_000]);
    running.stop();
  });

  it("tells of each node of a router, and of all what each has done, whoever came and left", async () => {
    const [one, two, three] = [new PoolMeter(), new PoolMeter(), new PoolMeter()];
    let nodes = () => [node("one", one), node("two", two)];
    const { clock, told, watch } = counted(() => nodes());
    for (let each = 0; each < 10; each += 1) call(two, 5);
    const running = watch();
    call(one, 5);
    call(two, 5);
    await clock.advance(1_000);
    // A node leaves, and another one comes.
    nodes = () => [node("one", one), node("three", three)];
    call(one, 5);
    call(three, 7, new Error("mine"));
    await clock.advance(1_000);
    // The first is replaced by one of the same name.
    nodes = () => [node("one", three), node("three", three)];
    await clock.advance(1_000);
    expect(told.map(({ delta }) => [delta.calls, delta.failed, delta.execution.count])).toEqual([
      [2, 0, 2],
      [2, 1, 2],
      [1, 1, 1],
    ]);
    expect(told[1]?.delta.nodes.map(({ name, calls, callsPerSecond }) => [name, calls, callsPerSecond])).toEqual([
      ["one", 1, 1],
      ["three", 1, 1],
    ]);
    running.stop();
  });

  it("reports what can be written as JSON", async () => {
    const { clock, meter, told, watch } = counted();
    const running = watch();
    meter.refused({ code: "23505" });
    await clock.advance(1_000);
    const [{ delta, snapshot }] = told as [(typeof told)[0]];
    expect(JSON.parse(JSON.stringify(delta))).toEqual(JSON.parse(JSON.stringify({ ...delta })));
    expect(delta.errors.sql).toEqual({ "23": 1 });
    expect(JSON.parse(JSON.stringify(snapshot.metrics)).errors.sql).toEqual({ "23": 1 });
    expect(Object.isFrozen(delta)).toBe(true);
    running.stop();
  });

  it("refuses options that make no sense", () => {
    const { pool } = counted();
    const report = (): void => undefined;
    expect(() => monitor(pool, { report, intervalMs: 0 })).toThrow(RangeError);
    expect(() => monitor(pool, {} as never)).toThrow(RangeError);
    expect(() => monitor(pool, { report, every: 5 } as never)).toThrow(RangeError);
    expect(() => monitor(pool, { report, clock: {} as never })).toThrow(RangeError);
    expect(() => monitor({} as never, { report })).toThrow(TypeError);
    expect(() => monitor(undefined as never, { report })).toThrow(TypeError);
    expect(pool.events.size).toBe(0);
  });
});
