import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BulkheadFullError, failureOf, type Operation, policy, seededRandom, StackOrderError } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { throttle, type ThrottleOptions } from "./throttle.ts";
import { ThrottledError } from "./throttled-error.ts";

const full = (): Error => failing({ phase: "connect", blames: "load" });

function setUp(options: ThrottleOptions = {}) {
  const clock = new ManualClock(10_000);
  let answer: () => unknown = () => "ok";
  const inner = fakePool(() => answer());
  const limit = throttle({ clock, random: seededRandom(3), ...options });
  const pool = limit(inner);
  /** Makes so many calls that end in this way when they are sent; says how many were not sent. */
  const calls = async (times: number, how: unknown, context: Partial<Operation<unknown>> = {}): Promise<number> => {
    answer = () => {
      if (how instanceof Error) throw how;
      return how;
    };
    const before = inner.calls.length;
    for (let each = 0; each < times; each++) {
      await pool.execute({ ...fakeCall(), ...context } as Operation<unknown>).catch(() => undefined);
    }
    return times - (inner.calls.length - before);
  };
  const stats = () => pool.stats().policies.at(0)!;
  return { clock, inner, limit, pool, calls, stats };
}

describe("throttle", () => {
  it("sends every call while the server refuses at most one for each that it accepts", async () => {
    const { calls, stats } = setUp();
    expect(await calls(100, "ok")).toBe(0);
    expect(await calls(100, full())).toBe(0);
    expect(stats()).toMatchObject({ policy: "throttle", requests: 200, accepts: 100, probability: 0, rejected: 0 });
  });

  it("sends about one call more than the factor allows when nothing is accepted", async () => {
    const { calls, inner, stats } = setUp();
    const kept = await calls(1000, full());
    expect(kept).toBeGreaterThan(980);
    expect(stats()).toMatchObject({ requests: 1000, accepts: 0, rejected: kept });
    expect(inner.calls.length).toBeGreaterThan(0);
  });

  it("refuses with an error that says how probable that was, and tells of it", async () => {
    const { calls, pool } = setUp({ random: () => 0 });
    const heard: unknown[] = [];
    pool.events.on("throttle:rejected", (event) => void heard.push(event));
    await calls(1, full());
    const error = await pool.execute(fakeCall({ label: "report" })).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ThrottledError);
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_THROTTLED", probability: 0.5, pool: "fake" });
    expect(failureOf(error)).toMatchObject({ blames: "load", effect: "none", retry: "other-node" });
    expect(heard).toEqual([{ pool: "fake", label: "report", priority: "normal", probability: 0.5 }]);
  });

  it("forgets refusals after the window, and sends every call again", async () => {
    const { calls, clock, stats } = setUp({ windowMs: 1000 });
    expect(await calls(100, full())).toBeGreaterThan(0);
    await clock.advance(1100);
    expect(await calls(100, "ok")).toBe(0);
    expect(stats()).toMatchObject({ probability: 0 });
    expect(clock.pending).toBe(0);
  });

  it("refuses sheddable calls twice as probably as normal ones, and never critical ones and probes", async () => {
    const refused = async (context: Partial<Operation<unknown>>, dice: number): Promise<number> => {
      const { calls } = setUp({ factor: 1, random: () => dice });
      await calls(300, "ok");
      await calls(100, full(), { priority: "critical" });
      // A quarter of the calls was refused by the server.
      return calls(1, "ok", context);
    };
    expect(await refused({ priority: "sheddable" }, 0.45)).toBe(1);
    expect(await refused({ priority: "sheddable" }, 0.55)).toBe(0);
    expect(await refused({}, 0.22)).toBe(1);
    expect(await refused({}, 0.28)).toBe(0);
    expect(await refused({ priority: "critical" }, 0)).toBe(0);
    expect(await refused({ purpose: "probe" }, 0)).toBe(0);
  });

  it.each([
    ["a lost node", failing({ blames: "node" })],
    ["the caller's abort", failing({ blames: "caller" })],
    ["a wrong statement", failing({ blames: "statement" })],
    ["waiting in the pool", failing({ blames: "load", phase: "acquire" })],
    ["a refusal further in", new BulkheadFullError("inner", 1, 1)],
  ])("takes no notice of %s", async (_, error) => {
    const { calls } = setUp();
    expect(await calls(200, error)).toBe(0);
  });

  it("changes its factor while it works, for one pool or all", async () => {
    const { calls, limit, stats } = setUp();
    await calls(100, "ok");
    await calls(60, full());
    limit.change({ factor: 1 }, "fake");
    expect(stats()).toMatchObject({ factor: 1, requests: 160, probability: 60 / 161 });
    limit.change({ factor: 3 });
    expect(stats()).toMatchObject({ factor: 3, probability: 0 });
    expect(() => limit.change({ factor: 0 })).toThrow("option throttle.factor");
    expect(() => limit.change({}, "other")).toThrow('stands around ("fake")');
  });

  it.each(["retry", "router"])("is refused around a %s", (name) => {
    const layer = policy(name, (operation, next) => next(operation));
    expect(() => throttle()(layer(fakePool()))).toThrow(StackOrderError);
  });

  it.each([
    [{ factor: 0.5 }, "throttle.factor"],
    [{ windowMs: 0 }, "throttle.windowMs"],
    [{ clock: 5 }, "throttle.clock"],
    [{ random: 5 }, "throttle.random"],
    [{ k: 2 }, "throttle.k"],
  ])("refuses %o", (options, option) => {
    expect(() => throttle(options as ThrottleOptions)).toThrow(`option ${option} `);
  });

  it("sends about twice what the server has room for, however much is offered", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 5, max: 20 }),
        fc.integer({ min: 3, max: 8 }),
        fc.integer(),
        async (room, times, seed) => {
          const { inner, calls, clock } = setUp({ random: seededRandom(seed), windowMs: 2000 });
          let sentLate = 0;
          // In each tenth of a second the server accepts the first so many.
          for (let tick = 0; tick < 100; tick++) {
            const before = inner.calls.length;
            for (let each = 0; each < room * times; each++) {
              await calls(1, inner.calls.length - before < room ? "ok" : full());
            }
            if (tick >= 50) sentLate += inner.calls.length - before;
            await clock.advance(100);
          }
          expect(sentLate / (room * 50)).toBeGreaterThan(1.6);
          expect(sentLate / (room * 50)).toBeLessThan(2.4);
        },
      ),
      { numRuns: 5 },
    );
  });
});
