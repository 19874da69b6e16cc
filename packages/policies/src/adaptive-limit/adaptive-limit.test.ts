import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BulkheadFullError, failureOf, type Operation, policy, StackOrderError, TimeoutError } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { adaptiveLimit } from "./adaptive-limit.ts";
import type { AdaptiveLimitChanged, AdaptiveLimitRejected } from "./events.ts";
import type { AdaptiveLimitOptions } from "./options.ts";

/** A pool whose calls run until they are told to end; `max` is how many connections it has. */
function setUp(options: AdaptiveLimitOptions = {}, max = 100) {
  const clock = new ManualClock(1000);
  const ends: { resolve: (value: unknown) => void; reject: (error: unknown) => void }[] = [];
  const size = { max };
  const fake = fakePool(() => new Promise((resolve, reject) => void ends.push({ resolve, reject })));
  const inner = { ...fake, stats: () => ({ ...fake.stats(), max: size.max }) };
  const limit = adaptiveLimit({ clock, initial: 4, minimumCalls: 1, ...options });
  const pool = limit(inner);
  const changed: AdaptiveLimitChanged[] = [];
  const rejected: AdaptiveLimitRejected[] = [];
  pool.events.on("adaptive-limit:changed", (event) => void changed.push(event));
  pool.events.on("adaptive-limit:rejected", (event) => void rejected.push(event));
  const call = (context: Partial<Operation<unknown>> = {}): Promise<unknown> =>
    pool.execute({ ...fakeCall(), ...context } as Operation<unknown>).catch((error: unknown) => error);
  /** Begins as many calls as get in, lets them take so long, and ends them all. */
  const round = async (ms: number, error?: unknown, context: Partial<Operation<unknown>> = {}): Promise<void> => {
    for (let each = limit.limit("fake"); each > 0; each--) void call(context);
    await clock.advance(ms);
    for (const end of ends.splice(0)) {
      if (error === undefined) end.resolve("ok");
      else end.reject(error);
    }
    await clock.advance(0);
  };
  const stats = () => pool.stats().policies.at(0)!;
  return { clock, size, limit, pool, call, round, ends, changed, rejected, stats };
}

describe("adaptiveLimit", () => {
  it("lets in as many as the limit, and refuses the others at once", async () => {
    const { call, stats, rejected, clock } = setUp();
    for (let each = 0; each < 4; each++) void call();
    const error = await call({ label: "fifth" });
    expect(error).toBeInstanceOf(BulkheadFullError);
    expect(failureOf(error)).toMatchObject({ retry: "other-node", blames: "load", effect: "none" });
    expect(rejected).toEqual([{ pool: "fake", label: "fifth", priority: "normal", running: 4, limit: 4 }]);
    expect(stats()).toMatchObject({ policy: "adaptive-limit", limit: 4, running: 4, rejected: 1, min: 1, max: 100 });
    expect(clock.pending).toBe(0);
  });

  it("takes a limit in time for a sign of overload only when it was longer than calls usually take", async () => {
    const { round, changed, stats } = setUp({ max: 8 });
    for (let each = 0; each < 30; each++) await round(100);
    const { limit } = stats() as unknown as { limit: number };
    changed.length = 0;
    const late = (): Error => {
      const failure = { phase: "running", effect: "none", retry: "other-node", blames: "load" } as const;
      return new TimeoutError("fake", "late", { ...failure, connection: "destroy", reason: "late" });
    };
    await round(50, late());
    expect(stats()).toMatchObject({ overloads: 0, limit });
    await round(400, late());
    expect(stats()).not.toMatchObject({ overloads: 0 });
    expect(changed.at(0)).toMatchObject({ why: "overload" });
  });

  it("has calls tried again that a burst turned away, and not those that go on being turned away", async () => {
    const { call, clock } = setUp({ initial: 1, max: 1 });
    void call();
    expect(failureOf(await call())).not.toHaveProperty("maxRetries");
    for (let each = 0; each < 3; each++) {
      await clock.advance(60);
      await call();
    }
    expect(failureOf(await call())).toMatchObject({ retry: "other-node", maxRetries: 0 });
  });

  it("rises while latency stays, and falls when it grows", async () => {
    const { round, limit, changed, clock } = setUp();
    for (let each = 0; each < 30; each++) await round(100);
    const high = limit.limit("fake");
    expect(high).toBeGreaterThan(12);
    for (let each = 0; each < 10; each++) await round(300);
    expect(limit.limit("fake")).toBeLessThan(high / 1.5);
    expect(changed[0]).toEqual({ pool: "fake", from: 4, limit: 5, why: "latency" });
    expect(clock.pending).toBe(0);
  });

  it.each([
    ["no connection left at the server", { phase: "connect", blames: "load" }, true],
    ["a statement out of time", { phase: "running", blames: "load" }, true],
    ["waiting in the pool for too long", { phase: "acquire", blames: "load" }, false],
    ["the caller's abort", { phase: "running", blames: "caller" }, false],
    ["a wrong statement", { phase: "running", blames: "statement" }, false],
    ["a lost node", { phase: "running", blames: "node" }, false],
  ] as const)("after %s (%o) falls: %s", async (_, failure, falls) => {
    const { round, limit, stats } = setUp({ initial: 50 });
    await round(10, failing(failure));
    expect(limit.limit("fake")).toBe(falls ? 45 : 50);
    expect(stats()).toMatchObject({ running: 0, overloads: falls ? 50 : 0, usualMs: undefined });
  });

  it("does not count what was refused further in", async () => {
    const { round, limit } = setUp({ initial: 50 });
    await round(10, new BulkheadFullError("inner", 1, 1));
    expect(limit.limit("fake")).toBe(50);
  });

  it("never falls below min, nor below 1", async () => {
    for (const min of [1, 3]) {
      const { round, limit } = setUp({ min, initial: 5 });
      for (let each = 0; each < 40; each++) await round(100, failing({ blames: "load" }));
      expect(limit.limit("fake")).toBe(min);
    }
  });

  it("never rises above max, nor above the pool's connections, however many there are by then", async () => {
    const { round, limit, size } = setUp({ max: 30 }, 12);
    for (let each = 0; each < 40; each++) await round(100);
    expect(limit.limit("fake")).toBe(12);
    size.max = 50;
    for (let each = 0; each < 60; each++) await round(100);
    expect(limit.limit("fake")).toBe(30);
    size.max = 8;
    await round(100);
    expect(limit.limit("fake")).toBe(8);
  });

  it("does not time sessions, whose length is their holder's choice, but counts them", async () => {
    const { round, call, stats, ends } = setUp();
    await round(5000, undefined, { kind: "session" });
    expect(stats()).toMatchObject({ usualMs: undefined, running: 0 });
    for (let each = 0; each < 4; each++) void call({ kind: "session" });
    expect(await call()).toBeInstanceOf(BulkheadFullError);
    expect(ends).toHaveLength(4);
  });

  it("refuses sheddable calls first and critical ones last, and probes never", () => {
    const { call, ends } = setUp({ initial: 10 });
    const admitted = (priority: Operation<unknown>["priority"]): number => {
      const before = ends.length;
      for (let each = 0; each < 30; each++) void call({ priority });
      return ends.length - before;
    };
    expect(admitted("sheddable")).toBe(8);
    expect(admitted("normal")).toBe(2);
    expect(admitted("critical")).toBe(10);
    void call({ purpose: "probe" });
    expect(ends).toHaveLength(21);
  });

  it("takes no notice of priorities when told to", () => {
    const { call, ends } = setUp({ initial: 10, priorities: false });
    for (let each = 0; each < 30; each++) void call({ priority: each % 2 === 0 ? "critical" : "sheddable" });
    expect(ends).toHaveLength(10);
  });

  it("changes its bounds while calls run, and forgets nothing", async () => {
    const { call, round, limit, stats, changed } = setUp({ initial: 20 });
    await round(100);
    const { usualMs } = stats();
    void call();
    limit.change({ max: 10 }, "fake");
    expect(stats()).toMatchObject({ limit: 10, running: 1, usualMs });
    limit.change({ min: 15, max: 40 });
    expect(limit.limit("fake")).toBe(15);
    expect(changed.slice(-2).map(({ from, limit: to, why }) => [from, to, why])).toEqual([
      [20, 10, "bounds"],
      [10, 15, "bounds"],
    ]);
    expect(() => limit.change({ max: 2 })).toThrow("option adaptiveLimit.max");
    expect(() => limit.change({}, "other")).toThrow('stands around ("fake")');
    expect(() => limit.limit("other")).toThrow("adaptiveLimit pool");
  });

  it("forgets a pool that is closed", async () => {
    const { limit, pool } = setUp();
    await pool.close();
    expect(() => limit.limit("fake")).toThrow("adaptiveLimit pool");
  });

  it.each(["retry", "router"])("is refused around a %s", (name) => {
    const layer = policy(name, (operation, next) => next(operation));
    expect(() => adaptiveLimit()(layer(fakePool()))).toThrow(StackOrderError);
    expect(() => layer(adaptiveLimit()(fakePool()))).not.toThrow();
  });

  it.each([
    [{ min: 0 }, "adaptiveLimit.min"],
    [{ max: 0.5 }, "adaptiveLimit.max"],
    [{ min: 5, max: 4 }, "adaptiveLimit.max"],
    [{ initial: 0 }, "adaptiveLimit.initial"],
    [{ windowMs: 0 }, "adaptiveLimit.windowMs"],
    [{ minimumCalls: 0 }, "adaptiveLimit.minimumCalls"],
    [{ priorities: "yes" }, "adaptiveLimit.priorities"],
    [{ clock: 5 }, "adaptiveLimit.clock"],
    [{ maximum: 5 }, "adaptiveLimit.maximum"],
  ])("refuses %o", (options, option) => {
    expect(() => adaptiveLimit(options as AdaptiveLimitOptions)).toThrow(`option ${option} `);
  });

  it("never lets in more than the limit, and gives every place back", async () => {
    const step = fc.record({
      calls: fc.nat(12),
      ms: fc.integer({ min: 1, max: 400 }),
      how: fc.constantFrom("ok" as const, "ok" as const, "load" as const, "caller" as const),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { call, ends, clock, limit, stats } = setUp({}, 10);
        for (const { calls, ms, how } of steps) {
          const before = ends.length;
          for (let each = 0; each < calls; each++) void call();
          expect(ends.length).toBeLessThanOrEqual(Math.max(before, limit.limit("fake")));
          await clock.advance(ms);
          for (const end of ends.splice(0, 1 + Math.floor(ends.length / 2))) {
            if (how === "ok") end.resolve("ok");
            else end.reject(failing({ blames: how }));
          }
          await clock.advance(0);
          expect(stats()["running"]).toBe(ends.length);
          expect(limit.limit("fake")).toBeGreaterThanOrEqual(1);
          expect(limit.limit("fake")).toBeLessThanOrEqual(10);
        }
      }),
      { numRuns: 40 },
    );
  });
});
