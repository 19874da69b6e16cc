import { describe, expect, it } from "vitest";
import { BulkheadFullError, Causality, compose, StackOrderError, TimeoutError } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import {
  adaptiveLimit,
  bulkhead,
  circuitBreaker,
  coalesce,
  fallback,
  retry,
  router,
  throttle,
  ThrottledError,
  timeout,
} from "@breakwater/policies";

/** A pool whose calls end when they are told to. */
function heldPool() {
  const ends: ((error?: unknown) => void)[] = [];
  const inner = fakePool(
    () => new Promise((resolve, reject) => ends.push((error) => (error === undefined ? resolve("ok") : reject(error)))),
  );
  return { inner, ends };
}

const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe("a bulkhead inside retry", () => {
  it("is free for others while a failed call waits for its next attempt", async () => {
    const clock = new ManualClock();
    const { inner, ends } = heldPool();
    const pool = compose(retry({ clock, jitter: "none" }), bulkhead({ clock, maxConcurrent: 1 }))(inner);
    const first = pool.execute(fakeCall({ label: "first" }));
    const second = pool.execute(fakeCall({ label: "second" }));
    ends[0]!(failing());
    await clock.advance(10);
    expect(inner.calls.map(({ label }) => label)).toEqual(["first", "second"]);
    ends[1]!();
    expect(await second).toBe("ok");
    await clock.advance(50);
    ends[2]!();
    expect(await first).toBe("ok");
    expect(clock.pending).toBe(0);
  });

  it("has a call that it was too full for tried again", async () => {
    const clock = new ManualClock();
    const { inner, ends } = heldPool();
    const policies = [retry({ clock, jitter: "none" }), bulkhead({ clock, maxConcurrent: 1, maxQueued: 0 })];
    const pool = compose(...policies)(inner);
    const first = pool.execute(fakeCall());
    const second = pool.execute(fakeCall());
    await clock.advance(20);
    ends[0]!();
    await clock.advance(40);
    ends[1]!();
    expect(await Promise.all([first, second])).toEqual(["ok", "ok"]);
  });

  it("ends the wait of a call at the deadline that a timeout outside has set", async () => {
    const clock = new ManualClock();
    const { inner } = heldPool();
    const pool = compose(
      timeout({ clock, limitMs: 30 }),
      retry({ clock }),
      bulkhead({ clock, maxConcurrent: 1 }),
    )(inner);
    void pool.execute(fakeCall());
    const ended = outcome(pool.execute(fakeCall())).then((error) => ({ error, atMs: clock.now() }));
    await clock.advance(1000);
    expect(await ended).toMatchObject({ error: expect.any(TimeoutError), atMs: 30 });
    expect(inner.calls).toHaveLength(1);
  });
});

describe("a circuit breaker around what sheds load", () => {
  it("stays closed, however much is turned away", async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, counts: ["node", "load"] });
    const { inner } = heldPool();
    const pool = compose(breaker, throttle({ clock }), bulkhead({ clock, maxConcurrent: 1, maxQueued: 0 }))(inner);
    void pool.execute(fakeCall());
    for (let each = 0; each < 20; each++) {
      expect(await outcome(pool.execute(fakeCall()))).toBeInstanceOf(BulkheadFullError);
    }
    expect(breaker.state("fake")).toBe("closed");
  });
});

describe("a throttle inside retry", () => {
  it("keeps repeated attempts from a server that has no room", async () => {
    const clock = new ManualClock();
    const full = fakePool(() => {
      throw failing({ phase: "connect", blames: "load", retry: "same-node" });
    });
    const pool = compose(retry({ clock, jitter: "none" }), throttle({ clock, random: () => 0 }))(full);
    const error = outcome(pool.execute(fakeCall()));
    await clock.advance(10_000);
    expect(await error).toBeInstanceOf(ThrottledError);
    expect(full.calls).toHaveLength(1);
  });
});

describe("fallback around retry", () => {
  it("answers when every attempt has failed, and not before", async () => {
    const clock = new ManualClock();
    const failed = fakePool(() => {
      throw failing();
    });
    const pool = compose(
      fallback({ for: { blames: ["node"] }, value: "instead" }),
      retry({ clock, maxRetries: 2 }),
    )(failed);
    const call = pool.execute(fakeCall());
    await clock.advance(10_000);
    expect(await call).toBe("instead");
    expect(failed.calls).toHaveLength(3);
  });
});

describe("coalesce around retry", () => {
  it("shares the attempts of a read as well", async () => {
    const clock = new ManualClock();
    const { inner: pool, ends } = heldPool();
    const stack = compose(coalesce({ clock }), retry({ clock, jitter: "none" }))(pool);
    const causality = new Causality(false);
    const calls = Array.from({ length: 10 }, () => stack.execute(fakeCall({ causality })));
    ends[0]!(failing());
    await clock.advance(60);
    ends[1]!();
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 10 }, () => "ok"));
    expect(pool.calls).toHaveLength(2);
  });
});

describe("the order of overload policies", () => {
  it.each([
    ["retry", "throttle", compose(throttle(), retry())],
    ["retry", "adaptive-limit", compose(adaptiveLimit(), retry())],
    ["fallback", "retry", compose(retry(), fallback({ for: { rejected: true }, value: 1 }))],
    ["fallback", "circuit-breaker", compose(circuitBreaker(), fallback({ for: { rejected: true }, value: 1 }))],
  ])("is told by name where %s does not stand outside %s", (outer, further, stack) => {
    expect(() => stack(fakePool())).toThrow(StackOrderError);
    expect(() => stack(fakePool())).toThrow(`${outer} must stand outside ${further}`);
  });

  it("has limits of latency around nodes, not around a router", () => {
    const clock = new ManualClock();
    expect(() => adaptiveLimit()(router({ primary: fakePool(), clock }))).toThrow(
      "router must stand outside adaptive-limit",
    );
    expect(() => throttle()(router({ primary: fakePool(), clock }))).toThrow("router must stand outside throttle");
  });
});
