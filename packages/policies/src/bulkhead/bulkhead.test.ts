import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BulkheadFullError, failureOf, type Operation, PoolClosedError, TimeoutError } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { bulkhead } from "./bulkhead.ts";
import type { BulkheadRejected } from "./events.ts";
import type { BulkheadOptions } from "./options.ts";

/** A pool whose calls run until they are told to end, by the name that they were made with. */
function setUp(options: BulkheadOptions = {}) {
  const clock = new ManualClock();
  const running = new Map<string, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  const order: string[] = [];
  const inner = fakePool((operation) => {
    const name = operation.label!;
    order.push(name);
    return new Promise((resolve, reject) => {
      running.set(name, { resolve, reject });
    });
  });
  const policy = bulkhead({ clock, maxConcurrent: 2, maxQueued: 3, maxWaitMs: 100, ...options });
  const pool = policy(inner);
  const rejected: BulkheadRejected[] = [];
  pool.events.on("bulkhead:rejected", (event) => void rejected.push(event));
  const outcomes = new Map<string, unknown>();
  const call = (label: string, context: Partial<Operation<unknown>> = {}): void => {
    const operation = { ...fakeCall(), ...context, label } as Operation<unknown>;
    pool.execute(operation).then(
      (value) => outcomes.set(label, value),
      (error: unknown) => outcomes.set(label, error),
    );
  };
  const end = async (label: string, error?: unknown): Promise<void> => {
    const { resolve, reject } = running.get(label)!;
    running.delete(label);
    if (error === undefined) resolve(label);
    else reject(error);
    await clock.advance(0);
  };
  const stats = () => pool.stats().policies.at(0)!;
  return { clock, inner, policy, pool, call, end, order, outcomes, rejected, stats, running };
}

describe("bulkhead", () => {
  it("runs as many as there are permits, queues the others in the order of their coming, and refuses the rest", async () => {
    const { call, end, order, outcomes, rejected, stats } = setUp();
    for (const name of ["a", "b", "c", "d", "e", "f"]) call(name);
    await end("a");
    expect(order).toEqual(["a", "b", "c"]);
    expect(stats()).toMatchObject({ running: 2, waiting: 2, queued: 3, rejected: { full: 1 } });
    expect(outcomes.get("f")).toBeInstanceOf(BulkheadFullError);
    expect(failureOf(outcomes.get("f"))).toMatchObject({ effect: "none", blames: "load", retry: "other-node" });
    expect(rejected).toEqual([
      { pool: "fake", label: "f", priority: "normal", why: "full", waitedMs: 0, running: 2, waiting: 3 },
    ]);
    for (const name of ["b", "c", "d", "e"]) await end(name);
    expect(order).toEqual(["a", "b", "c", "d", "e"]);
    expect(stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  it("sends those back who wait when the pool below is interrupted, and goes on", async () => {
    const { pool, call, clock, end, outcomes, inner, stats } = setUp();
    for (const name of ["a", "b", "c", "d"]) call(name);
    const reason = new Error("the node stopped answering");
    pool.interrupt(reason, "waiting");
    await clock.advance(0);
    for (const name of ["c", "d"]) {
      expect(outcomes.get(name)).toMatchObject({ code: "ERR_BREAKWATER_NODE_LOST", cause: reason });
      expect(failureOf(outcomes.get(name))).toMatchObject({ phase: "connect", effect: "none", retry: "other-node" });
    }
    expect(outcomes.has("a")).toBe(false);
    expect(stats()).toMatchObject({ running: 2, waiting: 0 });
    expect(clock.pending).toBe(0);
    call("e");
    await end("a");
    expect(inner.calls.at(-1)?.label).toBe("e");
  });

  it("takes the pool's own number of connections when no number is said", () => {
    const pool = bulkhead()(fakePool());
    expect(pool.stats().policies[0]).toMatchObject({ policy: "bulkhead", maxConcurrent: 10, maxQueued: 1000 });
  });

  it("gives the permit back when a call fails, and passes its error on as it is", async () => {
    const { call, end, outcomes, stats } = setUp({ maxConcurrent: 1 });
    const error = failing();
    call("a");
    call("b");
    await end("a", error);
    expect(outcomes.get("a")).toBe(error);
    expect(stats()).toMatchObject({ running: 1, waiting: 0 });
  });

  it("ends the wait after maxWaitMs, or at the call's deadline if that is sooner, without running it", async () => {
    const { clock, call, end, order, outcomes, rejected } = setUp();
    for (const name of ["a", "b", "late"]) call(name);
    call("hasty", { deadline: 30 });
    call("past", { deadline: 0 });
    await clock.advance(29);
    expect([...outcomes.keys()]).toEqual(["past"]);
    await clock.advance(1);
    expect(outcomes.get("hasty")).toBeInstanceOf(TimeoutError);
    await clock.advance(70);
    expect(outcomes.get("late")).toMatchObject({ phase: "acquire", code: "ERR_BREAKWATER_TIMEOUT" });
    expect(rejected.map(({ label, why, waitedMs }) => [label, why, waitedMs])).toEqual([
      ["past", "expired", 0],
      ["hasty", "expired", 30],
      ["late", "max-wait", 100],
    ]);
    await end("a");
    expect(order).toEqual(["a", "b"]);
    expect(clock.pending).toBe(0);
  });

  it("runs nobody whose time has passed, even when the timer is late", async () => {
    const { clock, call, end, order, outcomes } = setUp();
    for (const name of ["a", "b"]) call(name);
    call("c", { deadline: 10 });
    // Time passes without the timer, as behind a long synchronous piece of work.
    Object.assign(clock, { now: () => 50 });
    await end("a");
    expect(order).toEqual(["a", "b"]);
    expect(outcomes.get("c")).toBeInstanceOf(TimeoutError);
  });

  it("lets a caller leave the queue at once, and leaves no listener and no timer", async () => {
    const { clock, call, end, order, outcomes, stats } = setUp();
    const leaving = new AbortController();
    for (const name of ["a", "b"]) call(name);
    call("c", { signal: leaving.signal });
    call("gone", { signal: AbortSignal.abort("before") });
    leaving.abort("left");
    await clock.advance(0);
    expect(outcomes.get("c")).toBe("left");
    expect(outcomes.get("gone")).toBe("before");
    expect(stats()).toMatchObject({ waiting: 0 });
    expect(clock.pending).toBe(0);
    await end("a");
    expect(order).toEqual(["a", "b"]);
  });

  it("serves critical calls before normal and sheddable ones, and sheds the youngest at the bottom", async () => {
    const { call, end, order, outcomes } = setUp({ maxConcurrent: 1 });
    call("running");
    call("s1", { priority: "sheddable" });
    call("s2", { priority: "sheddable" });
    call("n1");
    call("c1", { priority: "critical" });
    call("n2");
    call("s3", { priority: "sheddable" });
    await end("running");
    expect([...outcomes.keys()]).toEqual(["s2", "s1", "s3", "running"]);
    expect(outcomes.get("s2")).toBeInstanceOf(BulkheadFullError);
    for (const name of ["c1", "n1", "n2"]) await end(name);
    expect(order).toEqual(["running", "c1", "n1", "n2"]);
  });

  it("takes no notice of priorities when told to", async () => {
    const { call, end, order } = setUp({ maxConcurrent: 1, priorities: false });
    call("a");
    call("b", { priority: "sheddable" });
    call("c", { priority: "critical" });
    await end("a");
    expect(order).toEqual(["a", "b"]);
  });

  it("lets tenants take turns, and makes room at the expense of the one that has most waiting", async () => {
    const { call, end, order, outcomes } = setUp({ maxConcurrent: 1, fairBy: ({ label }) => label?.charAt(0) });
    for (const name of ["a0", "a1", "a2", "a3", "b1"]) call(name);
    await end("a0");
    expect(outcomes.get("a3")).toBeInstanceOf(BulkheadFullError);
    for (const name of ["a1", "b1"]) await end(name);
    expect(order).toEqual(["a0", "a1", "b1", "a2"]);
  });

  it("holds a session's permit until it ends, and lets probes pass", async () => {
    const { inner, call, end, order } = setUp({ maxConcurrent: 1 });
    const session: Partial<Operation<unknown>> = { kind: "session" };
    call("session", session);
    call("next");
    call("probe", { purpose: "probe" });
    await end("probe");
    expect(order).toEqual(["session", "probe"]);
    await end("session");
    expect(inner.calls).toHaveLength(3);
  });

  it("serves the youngest first, under lifo-under-load, once the queue has not been empty for an interval", async () => {
    const options = { maxConcurrent: 1, maxQueued: 100, maxWaitMs: 10_000, order: "lifo-under-load" } as const;
    const { clock, call, end, order, stats } = setUp(options);
    for (let each = 0; each <= 40; each++) call(`c${each}`);
    const serve = async (times: number): Promise<void> => {
      for (let each = 0; each < times; each++) {
        await clock.advance(10);
        await end(order.at(-1)!);
      }
    };
    await serve(10);
    expect(stats()).toMatchObject({ standing: false });
    expect(order.slice(8)).toEqual(["c8", "c9", "c10"]);
    await serve(2);
    expect(stats()).toMatchObject({ standing: true });
    expect(order.slice(11)).toEqual(["c40", "c39"]);
    await serve(29);
    expect(stats()).toMatchObject({ standing: false, waiting: 0 });
  });

  it("makes room, under lifo-under-load, at the expense of the oldest while the queue stands", async () => {
    const { clock, call, outcomes } = setUp({ maxConcurrent: 1, maxWaitMs: 10_000, order: "lifo-under-load" });
    for (const name of ["a", "b", "c", "d", "e"]) call(name);
    await clock.advance(101);
    call("f");
    await clock.advance(0);
    expect([...outcomes.keys()]).toEqual(["e", "b"]);
  });

  it("leaves out who has no time left for an answer, as long as others wait", async () => {
    const { clock, call, end, order, outcomes, rejected } = setUp({ maxConcurrent: 1, maxQueued: 99, order: "fifo" });
    // Thirty calls that wait and then take 10 ms: what is usual is known.
    for (let each = 0; each <= 30; each++) {
      call(`learn ${each}`);
      if (each === 0) continue;
      await clock.advance(10);
      await end(`learn ${each - 1}`);
    }
    const now = clock.now();
    call("too late", { deadline: now + 15 });
    call("in time", { deadline: now + 40 });
    await clock.advance(10);
    await end("learn 30");
    expect(order.at(-1)).toBe("in time");
    expect(outcomes.get("too late")).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT", phase: "acquire" });
    expect(rejected.at(-1)).toMatchObject({ label: "too late", why: "expired", waitedMs: 10 });
    // Nobody waits behind this one: it is let try.
    call("alone", { deadline: now + 25 });
    await clock.advance(10);
    await end("in time");
    expect(order.at(-1)).toBe("alone");
    await end("alone");
    expect(clock.pending).toBe(0);
  });

  it("has calls tried again that a burst turned away, and of those that go on being turned away only critical ones", async () => {
    const { clock, call, outcomes } = setUp({ maxConcurrent: 1, maxQueued: 0, intervalMs: 50 });
    call("running");
    const turnedAway = async (label: string, context: Partial<Operation<unknown>> = {}) => {
      call(label, context);
      await clock.advance(20);
      return failureOf(outcomes.get(label));
    };
    expect(await turnedAway("burst")).not.toHaveProperty("maxRetries");
    for (const label of ["second", "third"]) await turnedAway(label);
    expect(await turnedAway("lasting")).toMatchObject({ retry: "other-node", maxRetries: 0 });
    expect(await turnedAway("critical", { priority: "critical" })).not.toHaveProperty("maxRetries");
    await clock.advance(60);
    expect(await turnedAway("new burst")).not.toHaveProperty("maxRetries");
  });

  it("drops, under codel, who has waited twice the target while the queue stands, but not in a burst", async () => {
    const { clock, call, end, order, rejected } = setUp({
      maxConcurrent: 1,
      maxQueued: 100,
      maxWaitMs: 10_000,
      order: "codel",
    });
    call("burst");
    for (let each = 1; each <= 3; each++) call(`burst${each}`);
    for (let each = 0; each < 4; each++) {
      await clock.advance(10);
      await end(order.at(-1)!);
    }
    expect(rejected).toEqual([]);
    call("c0");
    for (let each = 1; each <= 40; each++) call(`c${each}`);
    for (let each = 0; each < 25 && order.at(-1) !== undefined; each++) {
      await clock.advance(10);
      const last = order.at(-1)!;
      await end(last).catch(() => undefined);
    }
    expect(rejected.length).toBeGreaterThan(10);
    expect(rejected.every(({ why, waitedMs }) => why === "codel" && waitedMs > 10)).toBe(true);
  });

  it("changes its limits while calls run and wait, for one pool or all", async () => {
    const { call, end, order, outcomes, policy, stats } = setUp({ maxConcurrent: 1 });
    for (const name of ["a", "b", "c", "d"]) call(name);
    policy.change({ maxConcurrent: 2 }, "fake");
    expect(order).toEqual(["a", "b"]);
    policy.change({ maxQueued: 1 });
    await end("a");
    expect(outcomes.get("d")).toBeInstanceOf(BulkheadFullError);
    policy.change({ maxConcurrent: 1 });
    expect(stats()).toMatchObject({ running: 2, waiting: 0, maxConcurrent: 1, maxQueued: 1, maxWaitMs: 100 });
    expect(() => policy.change({ maxConcurrent: 0 })).toThrow("option bulkhead.maxConcurrent");
    expect(() => policy.change({}, "other")).toThrow('stands around ("fake")');
    expect(() => policy.change({ clock: 1 } as never)).toThrow("bulkhead.clock is unknown");
  });

  it("refuses all who wait when it is closed, and leaves no timer", async () => {
    const { clock, call, pool, policy, outcomes } = setUp();
    for (const name of ["a", "b", "c", "d"]) call(name);
    await pool.close();
    await clock.advance(0);
    expect(outcomes.get("c")).toBeInstanceOf(PoolClosedError);
    expect(outcomes.get("d")).toBeInstanceOf(PoolClosedError);
    expect(clock.pending).toBe(0);
    expect(() => policy.change({}, "fake")).toThrow("bulkhead pool");
  });

  it.each([
    [{ maxConcurrent: 0 }, "bulkhead.maxConcurrent"],
    [{ maxQueued: -1 }, "bulkhead.maxQueued"],
    [{ maxWaitMs: 0 }, "bulkhead.maxWaitMs"],
    [{ order: "lifo" }, "bulkhead.order"],
    [{ priorities: 1 }, "bulkhead.priorities"],
    [{ fairBy: "label" }, "bulkhead.fairBy"],
    [{ targetMs: 0 }, "bulkhead.targetMs"],
    [{ intervalMs: Number.NaN }, "bulkhead.intervalMs"],
    [{ clock: 5 }, "bulkhead.clock"],
    [{ maxQueue: 5 }, "bulkhead.maxQueue"],
  ])("refuses %o", (options, option) => {
    expect(() => bulkhead(options as BulkheadOptions)).toThrow(`option ${option} `);
  });

  it("never runs more than there are permits, loses nobody, and serves equals in order", async () => {
    const step = fc.record({
      what: fc.constantFrom(
        "call" as const,
        "call" as const,
        "end" as const,
        "fail" as const,
        "abort" as const,
        "change" as const,
        "wait" as const,
      ),
      priority: fc.constantFrom("critical" as const, "normal" as const, "sheddable" as const),
      number: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (doing, fair) => {
        const fairBy = ({ label }: Operation<unknown>): string => String(Number(label) % 3);
        const { clock, call, end, order, outcomes, policy, running, stats } = setUp(fair ? { fairBy } : {});
        let made = 0;
        let limit = 2;
        const aborts: AbortController[] = [];
        for (const { what, priority, number } of doing) {
          const before = running.size;
          const [oldest] = running.keys();
          if (what === "call") {
            aborts.push(new AbortController());
            call(String(made++), { priority, signal: aborts.at(-1)!.signal });
            expect(running.size).toBeLessThanOrEqual(Math.max(limit, before));
          } else if (what === "change") {
            limit = number;
            policy.change({ maxConcurrent: number, maxQueued: number });
          } else if (what === "abort") aborts[number]?.abort();
          else if (what === "wait") await clock.advance(number * 10);
          else if (oldest !== undefined) await end(oldest, what === "fail" ? failing() : undefined);
          const { running: counted, waiting, maxQueued } = stats();
          expect(counted).toBe(running.size);
          expect(waiting).toBeLessThanOrEqual(Number(maxQueued));
          // Nobody waits while a permit is free.
          if (Number(waiting) > 0) expect(Number(counted)).toBeGreaterThanOrEqual(limit);
        }
        policy.change({ maxConcurrent: 100 });
        for (const name of running.keys()) await end(name);
        expect(outcomes.size).toBe(made);
        expect(new Set(order).size).toBe(order.length);
        expect(stats()).toMatchObject({ running: 0, waiting: 0 });
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it("queues, serves and cancels in about the same time however many wait", () => {
    const perCall = (waiting: number): number => {
      const inner = fakePool(() => new Promise(() => undefined));
      const pool = bulkhead({ clock: new ManualClock(), maxConcurrent: 1, maxQueued: 1e6 })(inner);
      const silence = (): undefined => undefined;
      void pool.execute(fakeCall());
      for (let each = 0; each < waiting; each++) pool.execute(fakeCall()).catch(silence);
      const times: number[] = [];
      for (let round = 0; round < 20; round++) {
        const aborts = Array.from({ length: 200 }, () => new AbortController());
        const startMs = performance.now();
        for (const { signal } of aborts) pool.execute(fakeCall({ signal })).catch(silence);
        for (const abort of aborts) abort.abort();
        times.push(performance.now() - startMs);
      }
      return Math.min(...times);
    };
    perCall(100);
    const ratio = perCall(20_000) / perCall(20);
    expect(ratio).toBeLessThan(10);
  });
});
