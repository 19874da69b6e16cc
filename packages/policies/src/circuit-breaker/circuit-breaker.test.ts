import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { CircuitOpenError, failureOf, type Operation, sleep } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { type CircuitBreaker, circuitBreaker } from "./circuit-breaker.ts";
import type { CircuitOpened } from "./events.ts";
import type { CircuitBreakerOptions } from "./options.ts";

const down = (): Error => failing({ phase: "connect" });
const violation = (): Error => failing({ blames: "statement", retry: "never", connection: "keep" });
const probe = (): Operation<unknown> => fakeCall({ purpose: "probe" });

const ok = (): unknown => "ok";

function setUp(options: CircuitBreakerOptions = {}) {
  const clock = new ManualClock(10_000);
  const breaker = circuitBreaker({ clock, trip: { kind: "consecutive", failures: 3 }, ...options });
  let answer: () => unknown = ok;
  const inner = fakePool(() => answer());
  const pool = breaker(inner);
  const seen: string[] = [];
  for (const name of ["opened", "half-opened", "closed", "isolated"] as const) {
    pool.events.on(`circuit-breaker:${name}`, (event) => {
      const { from, why } = event as { from?: string; why?: string };
      seen.push([event.pool, name, from ?? why].filter((word) => word !== undefined).join(" "));
    });
  }
  /** Makes one call that ends in this way; says how it ended for the caller. */
  const call = async (how: unknown, operation: Operation<unknown> = fakeCall()): Promise<unknown> => {
    answer = () => {
      if (how instanceof Error) throw how;
      return how;
    };
    return pool.execute(operation).catch((error: unknown) => error);
  };
  /** Begins a call that ends when told. */
  const begin = (operation: Operation<unknown> = fakeCall()) => {
    let resolve!: (value: unknown) => void;
    let reject!: (error: Error) => void;
    const promise = new Promise<unknown>((...ends) => void ([resolve, reject] = ends));
    answer = () => promise;
    const outcome = pool.execute(operation).catch((error: unknown) => error);
    return { outcome, resolve, reject };
  };
  const open = async (): Promise<void> => {
    for (let failure = 0; failure < 3; failure++) await call(down());
  };
  const state = () => breaker.state("fake");
  return { clock, breaker, inner, pool, seen, call, begin, open, state };
}

describe("circuitBreaker", () => {
  it("opens after failures in a row, says why, and refuses calls without asking the node", async () => {
    const { inner, pool, seen, call, open, state, clock } = setUp();
    const heard = vi.fn<(event: CircuitOpened) => void>();
    pool.events.on("circuit-breaker:opened", heard);
    await open();
    expect(state()).toBe("open");
    expect(seen).toEqual(["fake opened closed"]);
    expect(heard).toHaveBeenCalledWith({ pool: "fake", from: "closed", breakMs: 1000, failure: failureOf(down()) });
    await clock.advance(300);
    const error = await call("ok");
    expect(error).toBeInstanceOf(CircuitOpenError);
    expect(error).toMatchObject({ pool: "fake", retryAfterMs: 700, code: "ERR_BREAKWATER_CIRCUIT_OPEN" });
    expect(failureOf(error)).toMatchObject({ retryAfterMs: 700, effect: "none", retry: "other-node" });
    expect(inner.calls).toHaveLength(3);
    expect(pool.stats().policies[0]).toEqual({
      policy: "circuit-breaker",
      state: "open",
      failures: 3,
      rejected: 1,
      opened: 1,
      openedAtMs: 10_000,
      retryAfterMs: 700,
    });
  });

  it("starts the row again at a success", async () => {
    const { call, state } = setUp();
    for (const how of [down(), down(), "ok", down(), down()]) await call(how);
    expect(state()).toBe("closed");
  });

  it.each([
    ["answered", violation(), "closed"],
    ["answered by a rollback", failing({ blames: "contention", connection: "keep" }), "closed"],
    ["too slow, but answered", failing({ blames: "load", connection: "keep" }), "closed"],
    ["out of time", failing({ blames: "load" }), "open"],
    ["aborted", failing({ blames: "caller" }), "open"],
    ["the caller's own error", new Error("mine"), "open"],
    ["without a connection", failing({ blames: "load", phase: "acquire" }), "open"],
    ["refused further in", new CircuitOpenError("inner", 5), "open"],
  ])("with a call %s among the failures is %#", async (_, between, expected) => {
    const { call, state } = setUp();
    for (const how of [down(), down(), between, down()]) await call(how);
    expect(state()).toBe(expected);
  });

  it("counts load when told to", async () => {
    const { call, state } = setUp({ counts: ["node", "load"] });
    for (let each = 0; each < 3; each++) await call(failing({ blames: "load" }));
    expect(state()).toBe("open");
  });

  it("lets one call try when the break is over, refuses the others, and closes when it succeeds", async () => {
    const { clock, begin, call, open, state, seen, inner } = setUp();
    await open();
    await clock.advance(999.5);
    expect(await call("ok")).toBeInstanceOf(CircuitOpenError);
    await clock.advance(0.5);
    const trial = begin();
    expect(state()).toBe("half-open");
    expect(await call("ok")).toMatchObject({ retryAfterMs: 0 });
    trial.resolve("trial");
    expect(await trial.outcome).toBe("trial");
    expect(state()).toBe("closed");
    expect(await call("ok")).toBe("ok");
    expect(seen).toEqual(["fake opened closed", "fake half-opened", "fake closed trial"]);
    expect(inner.calls).toHaveLength(5);
  });

  it("opens again for a whole break when the trial fails", async () => {
    const { clock, call, open, state, seen } = setUp();
    await open();
    await clock.advance(1000);
    const error = down();
    expect(await call(error)).toBe(error);
    expect(state()).toBe("open");
    await clock.advance(999);
    expect(await call("ok")).toMatchObject({ retryAfterMs: 1 });
    expect(seen.at(-1)).toBe("fake opened half-open");
  });

  it("closes when the trial fails with an answer of the server", async () => {
    const { clock, call, open, state } = setUp();
    await open();
    await clock.advance(1000);
    await call(violation());
    expect(state()).toBe("closed");
  });

  it.each([
    ["aborted", failing({ blames: "caller" })],
    ["refused before it reached the node", new CircuitOpenError("inner", 5)],
    ["out of time", failing({ blames: "load" })],
  ])("lets the next call try when the trial was %s", async (_, error) => {
    const { clock, call, open, state } = setUp();
    await open();
    await clock.advance(1000);
    expect(await call(error)).toBe(error);
    expect(state()).toBe("half-open");
    expect(await call("ok")).toBe("ok");
    expect(state()).toBe("closed");
  });

  it("lets another call try when a trial hangs for a whole break, and believes whichever ends first", async () => {
    const { clock, begin, call, open, state, inner } = setUp();
    await open();
    await clock.advance(1000);
    const hanging = begin();
    await clock.advance(999);
    expect(await call("ok")).toBeInstanceOf(CircuitOpenError);
    await clock.advance(1);
    const second = begin();
    expect(inner.calls).toHaveLength(5);
    expect(await call("ok")).toBeInstanceOf(CircuitOpenError);
    hanging.resolve("late");
    expect(await hanging.outcome).toBe("late");
    expect(state()).toBe("closed");
    second.reject(down());
    await second.outcome;
    expect(state()).toBe("closed");
  });

  it("lets probes pass while open and closes on the first that succeeds", async () => {
    const { call, open, state, seen } = setUp();
    await open();
    await call(down(), probe());
    expect(state()).toBe("open");
    expect(await call("alive", probe())).toBe("alive");
    expect(state()).toBe("closed");
    expect(seen.at(-1)).toBe("fake closed probe");
    expect(await call("ok")).toBe("ok");
  });

  it("closes on a probe while a trial hangs, and keeps closed when the trial then fails", async () => {
    const { clock, begin, call, open, state } = setUp();
    await open();
    await clock.advance(1000);
    const trial = begin();
    await call("alive", probe());
    trial.reject(down());
    await trial.outcome;
    expect(state()).toBe("closed");
  });

  it("takes a probe that was sent before it opened for no news", async () => {
    const { clock, begin, call, open, state } = setUp();
    await open();
    const early = begin(probe());
    await clock.advance(1000);
    await call(down());
    early.resolve("old");
    await early.outcome;
    expect(state()).toBe("open");
  });

  it("does not count calls that began before it closed: those that hung through a break fail all at once", async () => {
    const { begin, call, open, state } = setUp();
    const hanging = Array.from({ length: 10 }, () => begin());
    await open();
    await call("alive", probe());
    for (const each of hanging) {
      each.reject(down());
      await each.outcome;
    }
    expect(state()).toBe("closed");
    await open();
    expect(state()).toBe("open");
  });

  describe("isolated by hand", () => {
    it("refuses calls until lifted, lets probes pass and is not closed by them", async () => {
      const { clock, breaker, call, seen, state } = setUp();
      const lift = breaker.isolate("fake");
      await clock.advance(10_000);
      expect(await call("ok")).toMatchObject({ retryAfterMs: undefined, message: expect.stringContaining("isolated") });
      expect(await call("alive", probe())).toBe("alive");
      expect(state()).toBe("isolated");
      lift();
      lift();
      expect(await call("ok")).toBe("ok");
      expect(seen).toEqual(["fake isolated", "fake closed lifted"]);
    });

    it("must be lifted as often as it was isolated", async () => {
      const { breaker, state } = setUp();
      const [first, second] = [breaker.isolate(), breaker.isolate("fake")];
      first();
      first();
      expect(state()).toBe("isolated");
      second();
      expect(state()).toBe("closed");
    });

    it("stays so when a trial ends", async () => {
      const { clock, breaker, begin, open, state } = setUp();
      await open();
      await clock.advance(1000);
      const trial = begin();
      breaker.isolate();
      trial.resolve("ok");
      await trial.outcome;
      expect(state()).toBe("isolated");
    });

    it("is told by name, one pool or all, while they are not closed", async () => {
      const breaker = circuitBreaker();
      const pools = ["a", "b"].map((name) => breaker(fakePool(undefined, name)));
      const lift = breaker.isolate("a");
      expect([breaker.state("a"), breaker.state("b")]).toEqual(["isolated", "closed"]);
      lift();
      breaker.isolate();
      expect([breaker.state("a"), breaker.state("b")]).toEqual(["isolated", "isolated"]);
      await pools[0]?.close();
      expect(() => breaker.state("a")).toThrow('the name of a pool that this breaker stands around ("b"), got "a"');
      expect(() => breaker.isolate("c")).toThrow(expect.objectContaining({ name: "OptionError" }));
    });
  });

  it("keeps a circuit for each pool", async () => {
    const breaker = circuitBreaker({ trip: { kind: "consecutive", failures: 1 } });
    const bad = breaker(
      fakePool(() => {
        throw down();
      }, "bad"),
    );
    const good = breaker(fakePool(() => "ok", "good"));
    await bad.execute(fakeCall()).catch(() => undefined);
    expect([breaker.state("bad"), breaker.state("good")]).toEqual(["open", "closed"]);
    expect(await good.execute(fakeCall())).toBe("ok");
  });

  it("keeps the caller's error and its own state when listeners throw or reach in", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockReturnValue();
    const { breaker, pool, call, open, state } = setUp();
    pool.events.on("circuit-breaker:opened", () => void breaker.isolate());
    pool.events.on("circuit-breaker:opened", () => {
      throw new Error("listener");
    });
    await call(down());
    await call(down());
    const last = down();
    expect(await call(last)).toBe(last);
    expect(state()).toBe("isolated");
    await open();
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
  });

  it("sets no timer", async () => {
    const { clock, call, open } = setUp();
    await open();
    await clock.advance(1000);
    await call(down());
    expect(clock.pending).toBe(0);
  });

  describe("with a share of the last calls", () => {
    const trip = { kind: "count", failureRatio: 0.5, minimumCalls: 4, size: 6 } as const;

    it("opens at the share, once enough calls were counted", async () => {
      const { call, state } = setUp({ trip });
      for (const how of [down(), down(), "ok"]) await call(how);
      expect(state()).toBe("closed");
      await call(down());
      expect(state()).toBe("open");
    });

    it("opens at exactly the share, and at all calls for a share of 1", async () => {
      const half = setUp({ trip });
      for (const how of ["ok", "ok", down(), down()]) await half.call(how);
      expect(half.state()).toBe("open");
      const all = setUp({ trip: { kind: "count", failureRatio: 1, size: 3 } });
      for (const how of ["ok", down(), down()]) await all.call(how);
      expect(all.state()).toBe("closed");
      await all.call(down());
      expect(all.state()).toBe("open");
    });

    it("forgets calls beyond its size, and everything when it closes", async () => {
      const { call, state, pool } = setUp({ trip });
      for (const how of [down(), "ok", "ok", "ok", "ok", "ok", "ok"]) await call(how);
      expect(pool.stats().policies[0]).toMatchObject({ failures: 0, successes: 6 });
      for (const how of [down(), down(), down()]) await call(how);
      await call("alive", probe());
      for (const how of [down(), down()]) await call(how);
      expect(state()).toBe("closed");
    });
  });

  describe("with a share of a window of time", () => {
    const trip = { kind: "sampling", failureRatio: 0.5, minimumCalls: 4, windowMs: 1000 } as const;

    it("opens at the share, once enough calls were counted", async () => {
      const { call, state } = setUp({ trip });
      for (const how of [down(), down(), "ok"]) await call(how);
      expect(state()).toBe("closed");
      await call(down());
      expect(state()).toBe("open");
    });

    it("forgets what is out of the window, however long the silence", async () => {
      const { clock, call, state, pool } = setUp({ trip });
      for (const how of [down(), down(), down()]) await call(how);
      await clock.advance(3_600_000);
      await call(down());
      expect(state()).toBe("closed");
      expect(pool.stats().policies[0]).toMatchObject({ failures: 1, successes: 0 });
    });
  });

  it("lets calls through in half-open only one at a time, and always ends closed once the node is back", async () => {
    const step = fc.record({
      afterMs: fc.nat(1500),
      how: fc.constantFrom("ok", "down", "violation", "aborted", "slow"),
      takesMs: fc.nat(3000),
      probe: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const clock = new ManualClock();
        const breaker = circuitBreaker({ clock, trip: { kind: "consecutive", failures: 2 } });
        const errors = {
          ok: undefined,
          down,
          violation,
          aborted: () => failing({ blames: "caller" }),
          slow: () => failing({ blames: "load" }),
        };
        let how: keyof typeof errors = "ok";
        let takesMs = 0;
        let trial = { startedMs: Number.NEGATIVE_INFINITY, ended: true };
        let together = 0;
        const pool = breaker(
          fakePool(async (operation) => {
            const current = { startedMs: clock.now(), ended: false };
            if (breaker.state("fake") === "half-open" && operation.purpose === "call") {
              if (!trial.ended && clock.now() < trial.startedMs + 1000) together++;
              trial = current;
            }
            const error = errors[how]?.();
            await sleep(clock, takesMs);
            current.ended = true;
            if (error) throw error;
          }),
        );
        for (const each of steps) {
          ({ how, takesMs } = each);
          pool.execute(each.probe ? probe() : fakeCall()).catch(() => undefined);
          await clock.advance(each.afterMs);
        }
        expect(together).toBe(0);
        await clock.advance(10_000);
        ({ how, takesMs } = { how: "ok" as const, takesMs: 0 });
        pool.execute(fakeCall()).catch(() => undefined);
        await clock.advance(0);
        expect(breaker.state("fake")).toBe("closed");
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it.each<[string, unknown]>([
    ["circuitBreaker", null],
    ["circuitBreaker.breakMs", { breakMs: 0 }],
    ["circuitBreaker.breakMs", { breakMs: "1s" }],
    ["circuitBreaker.counts", { counts: [] }],
    ["circuitBreaker.counts", { counts: "node" }],
    ["circuitBreaker.counts", { counts: ["statement"] }],
    ["circuitBreaker.clock", { clock: 1 }],
    ["circuitBreaker.threshold", { threshold: 5 }],
    ["circuitBreaker.trip", { trip: "consecutive" }],
    ["circuitBreaker.trip.kind", { trip: {} }],
    ["circuitBreaker.trip.failures", { trip: { kind: "consecutive", failures: 0 } }],
    ["circuitBreaker.trip.size", { trip: { kind: "consecutive", size: 5 } }],
    ["circuitBreaker.trip.size", { trip: { kind: "count", size: 0 } }],
    ["circuitBreaker.trip.size", { trip: { kind: "count", size: 1e9 } }],
    ["circuitBreaker.trip.minimumCalls", { trip: { kind: "count", size: 5, minimumCalls: 6 } }],
    ["circuitBreaker.trip.failureRatio", { trip: { kind: "count", failureRatio: 1.01 } }],
    ["circuitBreaker.trip.failureRatio", { trip: { kind: "sampling", failureRatio: 0 } }],
    ["circuitBreaker.trip.minimumCalls", { trip: { kind: "sampling", minimumCalls: 0 } }],
    ["circuitBreaker.trip.windowMs", { trip: { kind: "sampling", windowMs: -1 } }],
  ])("tells a wrong %s: %j", (option, options) => {
    expect(() => circuitBreaker(options as CircuitBreakerOptions)).toThrow(
      expect.objectContaining({ name: "OptionError", option }),
    );
  });

  it("takes undefined for the default", () => {
    const options = { trip: undefined, breakMs: undefined, counts: undefined, clock: undefined };
    expect(() => circuitBreaker(options as unknown as CircuitBreakerOptions)).not.toThrow();
    const trips = [
      { kind: "count", size: 3, minimumCalls: undefined },
      { kind: "sampling", windowMs: undefined },
    ];
    for (const trip of trips) {
      expect((): CircuitBreaker => circuitBreaker({ trip } as unknown as CircuitBreakerOptions)).not.toThrow();
    }
  });
});

describe("the slow-call rule of circuitBreaker", () => {
  const slowRule = { trip: { kind: "count", minimumCalls: 4, size: 10 }, slowCallMs: 100, slowCallRatio: 0.5 } as const;

  /** Calls that take a time, and one that tries. */
  function slowly(options: CircuitBreakerOptions = slowRule) {
    const all = setUp(options);
    const take = async (ms: number, how: unknown = "ok", operation: Operation<unknown> = fakeCall()): Promise<void> => {
      const { outcome, resolve, reject } = all.begin(operation);
      await all.clock.advance(ms);
      if (how instanceof Error) reject(how);
      else resolve(how);
      await outcome;
    };
    return { ...all, take };
  }

  it("is off unless asked for", async () => {
    const { take, state, pool } = slowly({});
    for (let each = 0; each < 30; each += 1) await take(60_000);
    expect(state()).toBe("closed");
    expect(pool.stats().policies[0]).not.toHaveProperty("slow");
  });

  it("opens at its share of slow calls, and says that load is to blame", async () => {
    const { take, state, pool } = slowly();
    const heard = vi.fn<(event: CircuitOpened) => void>();
    pool.events.on("circuit-breaker:opened", heard);
    await take(1);
    await take(99);
    await take(100);
    expect(state()).toBe("closed");
    expect(pool.stats().policies[0]).toMatchObject({ slow: 1 });
    await take(100);
    expect(state()).toBe("open");
    expect(heard.mock.calls[0]?.[0]).toMatchObject({ from: "closed", failure: { blames: "load", effect: "none" } });
  });

  it("counts slow calls that failed, and neither what was refused further in nor what a caller's function took", async () => {
    const { take, state } = slowly();
    const refused = new CircuitOpenError("inner", 5);
    for (let each = 0; each < 10; each += 1) await take(200, refused);
    for (const kind of ["transaction", "session"] as const) {
      const { statement: _, ...others } = fakeCall();
      const operation = { ...others, kind, transaction: {} } as Operation<unknown>;
      for (let each = 0; each < 10; each += 1) await take(200, "ok", operation);
    }
    expect(state()).toBe("closed");
    for (let each = 0; each < 4; each += 1) await take(200, violation());
    expect(state()).toBe("open");
  });

  it("forgets slow calls that are out of the window", async () => {
    const { take, clock, state } = slowly({ ...slowRule, slowCallRatio: 1 });
    for (let each = 0; each < 3; each += 1) await take(100);
    await clock.advance(11_000);
    for (let each = 0; each < 3; each += 1) await take(100);
    expect(state()).toBe("closed");
    await take(100);
    expect(state()).toBe("open");
  });

  it("stays open after a trial that is slow, and for all that a probe is answered", async () => {
    const { take, call, clock, state, seen } = slowly();
    for (let each = 0; each < 4; each += 1) await take(100);
    await call("ok", probe());
    expect(state()).toBe("open");
    await clock.advance(1_000);
    await take(150);
    expect(state()).toBe("open");
    await clock.advance(1_000);
    await take(50);
    expect(state()).toBe("closed");
    expect(seen.map((line) => line.slice("fake ".length))).toEqual([
      "opened closed",
      "half-opened",
      "opened half-open",
      "half-opened",
      "closed trial",
    ]);
  });

  it("can be changed while it works, without losing what was counted", async () => {
    const { take, pool, state } = slowly({ ...slowRule, slowCallRatio: 1 });
    await take(1);
    for (let each = 0; each < 4; each += 1) await take(100);
    expect(state()).toBe("closed");
    pool.controls?.()[0]?.configure({ slowCallRatio: 0.8 });
    await take(100);
    expect(state()).toBe("open");
    pool.controls?.()[0]?.act("reset");
    pool.controls?.()[0]?.configure({ slowCallMs: false });
    for (let each = 0; each < 10; each += 1) await take(500);
    expect(state()).toBe("closed");
  });

  it.each([
    ["slowCallMs", 0],
    ["slowCallMs", "5"],
    ["slowCallRatio", 0],
    ["slowCallRatio", 1.1],
  ])("refuses %s: %s", (option, value) => {
    expect(() => circuitBreaker({ [option]: value })).toThrow(
      expect.objectContaining({ option: `circuitBreaker.${option}` }),
    );
  });
});
