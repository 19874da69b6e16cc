import {
  controlsOf,
  database,
  driverPool,
  type EventMap,
  OptionError,
  type Pool,
  sleep,
  StackOrderError,
  UsageError,
} from "@breakwater/core";
import { fakeCall, fakeDialect, fakeDriver, fakePool, ManualClock } from "@breakwater/core/testing";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { autosize } from "./autosize.ts";
import { Need } from "./need.ts";
import type { AutosizeOptions } from "./options.ts";

/** A pool whose load is made by hand. */
function setUp(options: Partial<AutosizeOptions> = {}, begins = 4) {
  const clock = new ManualClock(1_000);
  const load = { active: 0, waiting: 0, total: 0 };
  const sizes: number[] = [];
  let max = begins;
  const fake = fakePool();
  const inner: Pool = {
    ...fake,
    // "refused" stands for what a server says that has no room.
    dialect: {
      ...fakeDialect,
      judge: (error, { phase }) => ({
        ...fakeDialect.judge(error, { phase, access: "read", inTransaction: false }),
        phase,
        blames: error === "refused" ? "load" : "node",
      }),
    },
    stats: () => ({ ...fake.stats(), ...load, max }),
    resize: (size) => {
      max = size.max ?? max;
      sizes.push(max);
    },
  };
  const pool = autosize({ min: 2, max: 20, clock, ...options })(inner);
  const told: EventMap["autosize:resized"][] = [];
  pool.events.on("autosize:resized", (event) => told.push(event));
  sizes.length = 0;
  /** Lets the pool be used so for a time. */
  const busy = async (active: number, waiting: number, ms: number): Promise<void> => {
    Object.assign(load, { active, waiting, total: Math.max(active, load.total) });
    await pool.execute(fakeCall());
    await clock.advance(ms);
  };
  const stats = () => pool.stats().policies.at(0)!;
  return { clock, pool, inner, load, sizes, told, busy, stats };
}

describe("autosize", () => {
  it("grows by as many as wait, at most to twice its size, when they have waited for a while", async () => {
    const { busy, sizes, told, stats, clock, pool } = setUp();
    await busy(4, 3, 300);
    expect(sizes).toEqual([]);
    await busy(4, 3, 100);
    expect(sizes).toEqual([7]);
    expect(told).toEqual([{ pool: "fake", from: 4, to: 7, why: "waiting" }]);
    await busy(7, 100, 2_000);
    expect(sizes).toEqual([7, 14]);
    // Never above the maximum.
    await busy(14, 100, 5_000);
    expect(sizes).toEqual([7, 14, 20]);
    expect(stats()).toMatchObject({ policy: "autosize", size: 20, min: 2, max: 20, grown: 3, shrunk: 0 });
    await pool.close();
    expect(clock.pending).toBe(0);
  });

  it("takes new bounds and times while it works, and is within the bounds at once", async () => {
    const { busy, sizes, told, pool, stats } = setUp();
    const control = controlsOf(pool).get("autosize");
    control.configure({ min: 6 });
    control.configure({ min: 1, max: 5 });
    expect(sizes).toEqual([6, 5]);
    expect(told.map(({ why }) => why)).toEqual(["bounds", "bounds"]);
    control.configure({ max: 30, growAfterMs: 5_000, cooldownMs: 0, intervalMs: 1_000 });
    expect(() => control.configure({ min: 31 })).toThrow(OptionError);
    expect(stats()).toMatchObject({ size: 5, min: 1, max: 30 });
    await busy(5, 3, 5_000);
    expect(sizes).toEqual([6, 5]);
    await busy(5, 3, 1_000);
    expect(sizes).toEqual([6, 5, 8]);
  });

  it("does not grow for a short burst, nor while connections are free", async () => {
    const { busy, sizes } = setUp();
    for (let each = 0; each < 10; each += 1) {
      await busy(4, 5, 200);
      await busy(4, 0, 100);
    }
    // Calls wait, but not for a place: connections are still being opened.
    await busy(2, 2, 5_000);
    expect(sizes).toEqual([]);
  });

  it("shrinks when it has been too large for long, to what was needed, at most by half", async () => {
    const { busy, sizes, told } = setUp({ shrinkAfterMs: 10_000 }, 16);
    await busy(3, 0, 5_000);
    await busy(6, 0, 100);
    await busy(3, 0, 5_100);
    expect(sizes).toEqual([8]);
    expect(told).toEqual([{ pool: "fake", from: 16, to: 8, why: "idle" }]);
    await busy(0, 0, 25_000);
    expect(sizes).toEqual([8, 4, 2]);
  });

  it("stays where it is between the share that shrinks it and the queue that grows it", async () => {
    const { busy, sizes } = setUp({ shrinkAfterMs: 1_000 }, 8);
    for (const active of [5, 6, 7, 8, 5, 8]) await busy(active, 0, 10_000);
    // Less in between, but a busy moment before it has been idle for long enough.
    for (let each = 0; each < 20; each += 1) {
      await busy(1, 0, 900);
      await busy(8, 0, 200);
    }
    expect(sizes).toEqual([]);
  });

  it("waits between two changes", async () => {
    const { busy, sizes } = setUp({ cooldownMs: 5_000 });
    await busy(4, 50, 400);
    await busy(8, 50, 4_900);
    expect(sizes).toEqual([8]);
    await busy(8, 50, 200);
    expect(sizes).toEqual([8, 16]);
  });

  it("looks at nothing while nothing is to be seen, and begins again with a call", async () => {
    const { busy, clock, sizes } = setUp({ shrinkAfterMs: 1_000 });
    await busy(0, 0, 10_000);
    expect(sizes).toEqual([2]);
    expect(clock.pending).toBe(0);
    await busy(2, 2, 400);
    expect(sizes).toEqual([2, 4]);
  });

  it("begins between its bounds", async () => {
    expect(setUp({}, 50).stats()).toMatchObject({ size: 20 });
    const { inner, stats } = setUp({ min: 8 }, 3);
    expect([inner.stats().max, stats()["size"]]).toEqual([8, 8]);
  });

  it("steps back to what there is when the database refuses to open more, and stays there for a while", async () => {
    const { busy, pool, load, sizes, told, stats } = setUp({ refusedMs: 30_000 }, 10);
    load.total = 6;
    pool.events.emit("connection:failed", { pool: "fake", error: "refused" });
    expect(told).toEqual([{ pool: "fake", from: 10, to: 6, why: "refused" }]);
    await busy(6, 20, 29_900);
    expect(sizes).toEqual([6]);
    await busy(6, 20, 200);
    expect(sizes).toEqual([6, 12]);
    expect(stats()).toMatchObject({ refused: 1 });
  });

  it("takes nothing else for a refusal: a dead server, another pool's", async () => {
    const { pool, sizes, stats } = setUp({}, 10);
    pool.events.emit("connection:failed", { pool: "fake", error: new Error("connect ECONNREFUSED") });
    pool.events.emit("connection:failed", { pool: "another", error: "refused" });
    expect([sizes, stats()]).toMatchObject([[], { refused: 0 }]);
  });

  it("asks how many are allowed before it grows, and does not grow when it is not told", async () => {
    const answers: (() => number | Promise<number>)[] = [
      () => 6,
      () => Promise.resolve(6.9),
      () => 2,
      () => Promise.reject(new Error("no answer")),
      () => {
        throw new Error("no answer");
      },
      () => Number.NaN,
      () => undefined as never,
      () => 500,
    ];
    const reached: number[] = [];
    for (const allowed of answers) {
      const { busy, inner } = setUp({ allowed });
      await busy(4, 100, 450);
      reached.push(inner.stats().max);
    }
    expect(reached).toEqual([6, 6, 4, 4, 4, 4, 4, 8]);
  });

  it("asks one question at a time, and takes no answer after its end", async () => {
    let asked = 0;
    let tell = (_most: number): void => undefined;
    const { busy, pool, sizes, clock } = setUp({
      allowed: () => {
        asked += 1;
        return new Promise((resolve) => (tell = resolve));
      },
    });
    await busy(4, 9, 5_000);
    expect(asked).toBe(1);
    await pool.close();
    tell(100);
    await clock.advance(1_000);
    expect([sizes, clock.pending]).toEqual([[], 0]);
  });

  it("is not broken by a pool that refuses a size", async () => {
    const { busy, inner, stats, told } = setUp();
    inner.resize = () => {
      throw new RangeError("min");
    };
    await busy(4, 9, 5_000);
    expect([told, stats()]).toMatchObject([[], { size: 4, grown: 0 }]);
  });

  it("sizes a pool of connections, and those who wait are served", async () => {
    const clock = new ManualClock();
    const driver = fakeDriver(() => sleep(clock, 1_000), 2);
    let max = 2;
    Object.defineProperty(driver, "max", { get: () => max });
    driver.resize = (_min: number, to: number) => (max = to);
    const pool = autosize({ max: 8, clock })(driverPool(driver, fakeDialect, { name: "db", clock }));
    const db = database(pool, { clock });
    const calls = Array.from({ length: 8 }, () => db.query("SELECT 1"));
    await clock.advance(400);
    expect(pool.stats()).toMatchObject({ active: 4, waiting: 4, max: 4 });
    await clock.advance(3_000);
    await Promise.all(calls);
    await db.close();
    expect(clock.pending).toBe(0);
  });

  it("can stand around nothing whose size cannot be changed, nor around a router", () => {
    const sized = autosize({ max: 5 });
    expect(() => sized(fakePool())).toThrow(UsageError);
    // A policy passes it on to a pool that has no such thing.
    expect(() => sized({ ...fakePool(), resize: () => undefined })).toThrow(UsageError);
    const routed = { ...fakePool(), layers: [{ name: "router", outside: {} }], resize: () => undefined };
    expect(() => sized(routed)).toThrow(StackOrderError);
  });

  it("refuses options that make no sense", () => {
    for (const wrong of [
      {},
      { max: 0 },
      { max: 2.5 },
      { max: 5, min: 6 },
      { max: 5, min: 0 },
      { max: 5, intervalMs: 0 },
      { max: 5, growAfterMs: -1 },
      { max: 5, shrinkAfterMs: Number.NaN },
      { max: 5, shrinkBelowRatio: 0 },
      { max: 5, cooldownMs: "1" },
      { max: 5, refusedMs: -1 },
      { max: 5, allowed: 9 },
      { max: 5, clock: {} },
      { max: 5, most: 7 },
    ])
      expect(() => autosize(wrong as never), JSON.stringify(wrong)).toThrow(RangeError);
  });
});

describe("Need", () => {
  const options = {
    min: 2,
    max: 30,
    growAfterMs: 300,
    shrinkAfterMs: 2_000,
    cooldownMs: 1_000,
    shrinkBelowRatio: 0.5,
  };

  it("stays between its bounds, never ends a connection in use, and does not swing", () => {
    const demand = fc.array(
      fc.record({ calls: fc.integer({ min: 0, max: 80 }), looks: fc.integer({ min: 1, max: 60 }) }),
    );
    fc.assert(
      fc.property(demand, (steps) => {
        const need = new Need(options);
        let [size, nowMs, changedMs] = [4, 0, Number.NEGATIVE_INFINITY];
        for (const { calls, looks } of steps) {
          for (let each = 0; each < looks; each += 1) {
            nowMs += 100;
            const active = Math.min(calls, size);
            const wanted = need.size({ active, waiting: calls - active, max: size }, nowMs);
            if (wanted === size) continue;
            expect(wanted).toBeGreaterThanOrEqual(options.min);
            expect(wanted).toBeLessThanOrEqual(options.max);
            expect(wanted > size ? calls > size : wanted >= active && active <= size / 2).toBe(true);
            expect(nowMs - changedMs).toBeGreaterThanOrEqual(options.cooldownMs);
            size = wanted;
            changedMs = nowMs;
            need.changed(nowMs);
          }
        }
      }),
    );
  });

  it("comes to rest under any steady load", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 80 }), fc.integer({ min: 2, max: 30 }), (calls, begins) => {
        const need = new Need(options);
        let size = begins;
        let changes = 0;
        for (let nowMs = 0; nowMs < 100_000; nowMs += 100) {
          const active = Math.min(calls, size);
          const wanted = need.size({ active, waiting: calls - active, max: size }, nowMs);
          if (wanted === size) continue;
          size = wanted;
          need.changed(nowMs);
          changes += 1;
          if (nowMs > 50_000) throw new Error(`still changes, to ${size}`);
        }
        expect(changes).toBeLessThan(8);
        // Whoever would wait has a place, as far as there may be any.
        expect(size).toBeGreaterThanOrEqual(Math.min(calls, options.max));
      }),
    );
  });
});
