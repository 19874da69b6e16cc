import { describe, expect, it } from "vitest";
import { driverPool } from "../call/adapter.ts";
import { sleep } from "../waiting/clock.ts";
import { database } from "../face/database.ts";
import { NodeLostError, OutcomeUnknownError, TimeoutError, UsageError } from "../contract/errors.ts";
import type { Failure } from "../contract/failure.ts";
import { metricsSince, noMetrics, PoolMeter, sumOfMetrics } from "./metrics.ts";
import { failing, fakeCall, fakeDialect, fakeDriver, ManualClock } from "../testing/index.ts";

const failure: Failure = {
  phase: "running",
  effect: "none",
  retry: "other-node",
  blames: "node",
  connection: "destroy",
  reason: "planted",
};

const errorsOf = (work: (meter: PoolMeter) => void): unknown => {
  const meter = new PoolMeter();
  work(meter);
  return meter.snapshot().errors;
};

describe("PoolMeter", () => {
  it("tells calls that ran out of time from those whose connection failed them, and from their own errors", () => {
    const late = new TimeoutError("p", "late", { ...failure, blames: "load" });
    const errors = [
      late,
      new OutcomeUnknownError("p", late, failure),
      new OutcomeUnknownError("p", new Error("cut"), failure),
      new NodeLostError("p", "gone", failure),
      failing({ phase: "connect", connection: "keep" }),
      // A wrong password.
      failing({ phase: "connect", blames: "caller" }),
      failing({ blames: "statement", connection: "keep" }),
      // Aborted by the caller: its connection is destroyed, but was not lost.
      failing({ blames: "caller" }),
      new UsageError("p", "wrong"),
      new Error("mine"),
      "a text",
      undefined,
    ];
    const counted = errorsOf((meter) => errors.forEach((error) => meter.failed(error)));
    expect(counted).toEqual({ timeout: 2, connection: 4, sql: {} });
  });

  it("counts errors of statements by the class of their SQLSTATE, of whatever driver", () => {
    const codes = ["23505", "23503", "40001", "XX000", "P0001", "HV00B", "22P02"];
    const counted = errorsOf((meter) => {
      for (const code of codes) meter.refused({ code });
      // As mysql2 says it.
      meter.refused({ code: "ER_DUP_ENTRY", sqlState: "23000" });
    });
    expect(counted).toMatchObject({ sql: { "23": 3, "40": 1, XX: 1, P0: 1, HV: 1, "22": 1 } });
  });

  it("takes no other code for a SQLSTATE", () => {
    const others = [
      { code: "EPIPE", syscall: "write", errno: -32 },
      { code: "ECONNRESET" },
      { code: "ERR_BREAKWATER_TIMEOUT" },
      { code: 23505 },
      { code: "2350" },
      { code: "23a05" },
      {},
      "23505",
      undefined,
      null,
    ];
    expect(errorsOf((meter) => others.forEach((each) => meter.refused(each)))).toMatchObject({ sql: {} });
  });

  it("keeps no more classes than there may be, however many somebody makes up", () => {
    const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const { errors } = (() => {
      const meter = new PoolMeter();
      for (const a of digits) for (const b of digits) meter.refused({ code: `${a}${b}000` });
      return meter.snapshot();
    })();
    expect(Object.keys(errors.sql)).toHaveLength(65);
    expect(errors.sql["other"]).toBe(36 * 36 - 64);
  });

  it("gives a snapshot that nobody can change and that does not change", () => {
    const meter = new PoolMeter();
    meter.refused({ code: "23505" });
    const first = meter.snapshot();
    const text = JSON.stringify(first);
    meter.refused({ code: "23505" });
    meter.ended(0, 0, 4);
    expect(JSON.stringify(first)).toBe(text);
    for (const part of [first, first.errors, first.errors.sql, first.connections, first.acquire, first.execution])
      expect(Object.isFrozen(part)).toBe(true);
  });
});

describe("stats().metrics of a pool", () => {
  const setUp = (max: number, takesMs: number) => {
    const clock = new ManualClock(5_000);
    const driver = fakeDriver(async ({ text }) => {
      await sleep(clock, takesMs);
      if (text.includes("twice")) throw Object.assign(new Error("duplicate key"), { code: "23505" });
    }, max);
    const pool = driverPool(driver, fakeDialect, { name: "db", clock, acquireTimeoutMs: 1_000 });
    return { clock, driver, pool, db: database(pool, { clock }), metrics: () => pool.stats().metrics };
  };

  it("has what every call waited and ran, by the pool's own clock", async () => {
    const { clock, db, metrics } = setUp(1, 10);
    const calls = Array.from({ length: 3 }, () => db.query("SELECT 1"));
    await clock.advance(30);
    await Promise.all(calls);
    expect(metrics().acquire).toMatchObject({ count: 3, min: 0, mean: 10, max: 20 });
    expect(metrics().execution).toMatchObject({ count: 3, min: 10, mean: 10, p50: 10, max: 10 });
    expect(metrics()).toMatchObject({ calls: 3, failed: 0 });
    await db.close();
  });

  it("has the waits of those who went away without a connection, and what is neither's fault apart", async () => {
    const { clock, db, metrics } = setUp(1, 1_500);
    const stop = new AbortController();
    const calls = Promise.allSettled([
      db.query("SELECT 1"),
      db.query("SELECT 1"),
      db.query("SELECT 1", { signal: stop.signal }),
    ]);
    await clock.advance(400);
    stop.abort();
    await clock.advance(1_100);
    await calls;
    expect(metrics()).toMatchObject({ calls: 3, failed: 2, errors: { timeout: 1, connection: 0 } });
    expect([metrics().acquire.count, metrics().acquire.max, metrics().execution.count]).toEqual([3, 1_000, 1]);
    await db.close();
  });

  it("counts neither probes nor calls that were refused after the end", async () => {
    const { clock, db, pool, metrics } = setUp(1, 0);
    const probe = pool.execute({ ...fakeCall(), purpose: "probe", deadline: clock.now() + 100 });
    await clock.advance(0);
    await probe;
    expect(metrics()).toMatchObject({ calls: 0, acquire: { count: 0 } });
    await db.close();
    await expect(db.query("SELECT 1")).rejects.toThrow("closed");
    expect(metrics().calls).toBe(0);
  });

  it("counts a statement's error though its transaction went on, and a transaction that was left open", async () => {
    const { clock, db, metrics } = setUp(1, 0);
    const done = db.transaction(async (tx) => {
      await tx.transaction((inner) => inner.query("INSERT twice")).catch(() => undefined);
    });
    await clock.advance(100);
    await done;
    expect(metrics()).toMatchObject({ calls: 1, failed: 0, errors: { sql: { "23": 1 } }, openTransactions: 0 });
    const held = await db.connect();
    const begun = held.query("BEGIN");
    await clock.advance(10);
    await begun;
    held.release();
    await clock.advance(10);
    expect(metrics()).toMatchObject({ calls: 2, failed: 0, openTransactions: 1 });
    await db.close();
  });
});

describe("sums and differences", () => {
  const meterOf = (calls: number, state: string): PoolMeter => {
    const meter = new PoolMeter();
    for (let each = 0; each < calls; each += 1) {
      meter.ended(0, 1, 1 + each);
      meter.refused({ code: state });
      meter.connectionOpened();
    }
    return meter;
  };

  it("adds all that the nodes of a router have counted; one that counts nothing adds nothing", () => {
    const sum = sumOfMetrics([meterOf(3, "23505").snapshot(), undefined, meterOf(2, "40001").snapshot()]);
    expect(sum).toMatchObject({ calls: 5, connections: { opened: 5 }, errors: { sql: { "23": 3, "40": 2 } } });
    expect([sum.acquire.count, sum.execution.max]).toEqual([5, 2]);
    expect(sumOfMetrics([])).toEqual(noMetrics);
  });

  it("tells what was counted in between", () => {
    const meter = meterOf(3, "23505");
    const earlier = meter.snapshot();
    meter.refused({ code: "40001" });
    meter.ended(0, undefined, 9);
    expect(metricsSince(meter.snapshot(), earlier)).toMatchObject({ calls: 1, errors: { sql: { "40": 1 } } });
    expect(metricsSince(meter.snapshot(), earlier).errors.sql).not.toHaveProperty("23");
    expect(metricsSince(earlier, meter.snapshot())).toBe(earlier);
  });
});
