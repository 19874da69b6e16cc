import { getEventListeners } from "node:events";
import {
  compose,
  type Connection,
  database,
  driverPool,
  type EventMap,
  type Operation,
  operationContext,
  policy,
  type Policy,
  type Pool,
  sleep,
} from "@breakwater/core";
import {
  type FakeConnection,
  type FakeDriver,
  fakeCall,
  fakeDialect,
  fakeDriver,
  fakePool,
  ManualClock,
} from "@breakwater/core/testing";
import { describe, expect, it } from "vitest";
import { leakWatch, type LeakWatchOptions } from "./leak-watch.ts";

/** A stack on a fake driver, and what was told. */
function setUp(options: LeakWatchOptions = {}, outside: Policy = (pool) => pool) {
  const clock = new ManualClock(1_000);
  const driver: FakeDriver = fakeDriver(() => undefined, 2);
  const inner = driverPool(driver, fakeDialect, { name: "db", clock });
  const pool: Pool = compose(outside, leakWatch({ maxHeldMs: 100, clock, ...options }))(inner);
  const suspected: EventMap["leak-watch:suspected"][] = [];
  const returned: EventMap["leak-watch:returned"][] = [];
  pool.events.on("leak-watch:suspected", (event) => suspected.push(event));
  pool.events.on("leak-watch:returned", (event) => returned.push(event));
  const db = database(pool, { clock });
  const stats = () => pool.stats().policies.find((each) => each.policy === "leak-watch")!;
  return { clock, driver, pool, db, suspected, returned, stats };
}

/** A name that can be looked for in a stack. */
async function forgetfulBorrower(db: ReturnType<typeof setUp>["db"], label?: string) {
  return await db.connect(label === undefined ? {} : { label });
}

describe("leakWatch", () => {
  it("tells who holds a connection too long, once, and again when it comes back", async () => {
    const { clock, db, suspected, returned, stats } = setUp();
    const held = await forgetfulBorrower(db, "report");
    await clock.advance(99);
    expect(suspected).toEqual([]);
    await clock.advance(1);
    expect(suspected).toEqual([
      { pool: "db", label: "report", kind: "session", heldMs: 100, stack: expect.any(String) },
    ]);
    const lines = suspected[0]?.stack?.split("\n") ?? [];
    expect(lines[0]).toContain("forgetfulBorrower");
    expect(lines[0]).toContain("leak-watch.test.ts");
    expect(stats()).toMatchObject({ held: 1, overdue: 1, suspected: 1, returned: 0, forced: 0 });
    await clock.advance(400);
    expect([suspected.length, returned.length]).toEqual([1, 0]);
    held.release();
    await clock.advance(0);
    expect(returned).toEqual([{ ...suspected[0], heldMs: 500, forced: false }]);
    expect(stats()).toMatchObject({ held: 0, overdue: 0, suspected: 1, returned: 1, forced: 0 });
    await db.close();
  });

  it("goes by new limits at once; takes back only what was handed out since that was wanted", async () => {
    const { clock, db, suspected, returned, stats } = setUp();
    const before = await db.connect({ label: "before" });
    await clock.advance(50);
    db.controls.get("leak-watch").configure({ maxHeldMs: 60, forceReturnAfterMs: 80 });
    const after = await db.connect({ label: "after" });
    await clock.advance(10);
    expect(suspected.map(({ label, heldMs }) => [label, heldMs])).toEqual([["before", 60]]);
    await clock.advance(70);
    expect(suspected.map(({ label, heldMs }) => [label, heldMs])).toEqual([
      ["before", 60],
      ["after", 60],
    ]);
    expect(returned.map(({ label, forced }) => [label, forced])).toEqual([["after", true]]);
    expect(stats()).toMatchObject({ held: 1, overdue: 1, forced: 1 });
    await clock.advance(1_000);
    expect(clock.pending).toBe(0);
    before.release();
    after.release();
    await clock.advance(0);
    expect(returned.map(({ label, forced }) => [label, forced])).toEqual([
      ["after", true],
      ["before", false],
    ]);
    expect(stats()).toMatchObject({ held: 0, overdue: 0 });
    await db.close();
  });

  it("says nothing of who gives back in time", async () => {
    const { clock, db, suspected, returned, stats } = setUp();
    for (let each = 0; each < 20; each += 1) {
      const held = await db.connect();
      await clock.advance(60);
      held.release();
      await db.transaction(() => clock.advance(30));
    }
    await clock.advance(1_000);
    expect([suspected, returned, stats()]).toMatchObject([[], [], { held: 0, suspected: 0 }]);
    // The last timer has found nobody, and set no other.
    expect(clock.pending).toBe(0);
    await db.close();
  });

  it("watches the function of a transaction, not what comes before and after it", async () => {
    const { clock, db, driver, suspected } = setUp();
    driver.connecting = () => clock.advance(500);
    let finish = (): void => undefined;
    const done = db.transaction(() => new Promise<void>((resolve) => (finish = resolve)), { label: "pay" });
    await clock.advance(500);
    await clock.advance(99);
    expect(suspected).toEqual([]);
    await clock.advance(1);
    expect(suspected).toMatchObject([{ kind: "transaction", label: "pay", heldMs: 100 }]);
    expect(suspected[0]?.stack).toMatch(/^at .*leak-watch\.test\.ts/);
    finish();
    await done;
    await db.close();
  });

  it("counts each run of a call that is run again for itself", async () => {
    const { clock, suspected, returned } = setUp();
    const leak = leakWatch({ maxHeldMs: 100, clock });
    // What stands further in runs it twice, and does not wait for the first.
    const inner = fakePool(async (operation) => {
      void operation.run({} as Connection, 1).catch(() => undefined);
      await sleep(clock, 60);
      return operation.run({} as Connection, 2);
    });
    const pool = leak(inner);
    inner.events.on("leak-watch:suspected", (event) => suspected.push(event));
    inner.events.on("leak-watch:returned", (event) => returned.push(event));
    const finishes: (() => void)[] = [];
    const call = database(pool, { clock }).transaction(() => new Promise<void>((resolve) => finishes.push(resolve)));
    await clock.advance(60);
    await clock.advance(99);
    // The first run ends late: that is not the end of the second.
    finishes[0]?.();
    await clock.advance(0);
    expect([suspected.length, pool.stats().policies[0]]).toMatchObject([0, { held: 1 }]);
    await clock.advance(1);
    expect(suspected).toMatchObject([{ heldMs: 100 }]);
    finishes[1]?.();
    await call;
    expect(returned).toHaveLength(1);
    await pool.close();
  });

  it("ends the watch when the call ends, whatever its function goes on doing", async () => {
    const { clock, db, suspected, stats } = setUp();
    const call = db.transaction(() => new Promise(() => undefined), { timeoutMs: 50 });
    call.catch(() => undefined);
    await clock.advance(50);
    await expect(call).rejects.toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
    await clock.advance(1_000);
    expect([suspected, stats()]).toMatchObject([[], { held: 0 }]);
    await db.close();
  });

  it("lets single statements and probes pass as they are", async () => {
    const inner = fakePool();
    const pool = leakWatch({ forceReturnAfterMs: 60_000 })(inner);
    const probe = { ...operationContext("read"), kind: "session", purpose: "probe" } as const;
    const calls: Operation<unknown>[] = [fakeCall(), { ...probe, run: () => Promise.resolve() }];
    for (const call of calls) await pool.execute(call);
    expect(inner.calls[0]).toBe(calls[0]);
    expect(inner.calls[1]).toBe(calls[1]);
    await pool.close();
  });

  it("notes the stacks of a share of the borrowers, and watches all", async () => {
    let drawn = 0;
    const { clock, db, suspected } = setUp({ stackRate: 0.5, random: () => (drawn++ % 2 === 0 ? 0.4 : 0.5) });
    await Promise.all([db.connect(), db.connect()]);
    await clock.advance(100);
    expect(suspected.map(({ stack }) => stack === undefined)).toEqual([false, true]);
    await Promise.all([db.close({ drainMs: 0 }), clock.advance(0)]);
    const none = setUp({ stackRate: 0, random: () => 0 });
    await none.db.connect();
    await none.clock.advance(100);
    expect(none.suspected).toMatchObject([{ stack: undefined }]);
    await Promise.all([none.db.close({ drainMs: 0 }), none.clock.advance(0)]);
  });

  it("finds the caller under many layers, and leaves the process's own limit of frames as it was", async () => {
    const passing = policy("passing", (operation, next) => next(operation));
    const before = Error.stackTraceLimit;
    const { clock, db, suspected } = setUp({}, compose(...Array.from({ length: 8 }, () => passing)));
    await forgetfulBorrower(db);
    expect(Error.stackTraceLimit).toBe(before);
    await clock.advance(100);
    expect(suspected[0]?.stack).toMatch(/^at (async )?forgetfulBorrower/);
    await Promise.all([db.close({ drainMs: 0 }), clock.advance(0)]);
  });

  it("counts transactions that were left open", async () => {
    const { clock, db, stats } = setUp();
    const held = await db.connect();
    await held.query("BEGIN");
    held.release();
    await clock.advance(0);
    expect(stats()).toMatchObject({ openTransactions: 1 });
    await db.close();
  });

  it("leaves nothing behind when it is closed, and says nothing more", async () => {
    const { clock, db, pool, suspected } = setUp();
    const held = await db.connect();
    const listeners = pool.events.size;
    const closed = db.close({ drainMs: 300 });
    await clock.advance(200);
    expect(suspected).toEqual([]);
    held.release();
    await closed;
    expect([clock.pending, pool.events.size]).toEqual([0, listeners - 1]);
  });

  describe("with forceReturnAfterMs", () => {
    const forced = { forceReturnAfterMs: 300 };

    it("takes the connection back: its place is free, its holder gets a typed error, and nobody else gets it", async () => {
      const { clock, db, driver, returned, suspected, stats } = setUp(forced);
      const held = await db.connect();
      await held.query("BEGIN");
      const other = await db.connect();
      const waiting = db.connect();
      await clock.advance(200);
      other.release();
      const next = await waiting;
      expect([suspected.length, stats()]).toMatchObject([2, { forced: 0 }]);
      await clock.advance(100);
      expect(returned.map((event) => [event.heldMs, event.forced])).toEqual([
        [200, false],
        [300, true],
      ]);
      expect(stats()).toMatchObject({ held: 1, forced: 1 });
      expect(driver.connections[0]?.state).toBe("destroyed");
      await expect(held.query("SELECT 1")).rejects.toMatchObject({
        name: "HeldTooLongError",
        code: "ERR_BREAKWATER_HELD_TOO_LONG",
        pool: "db",
        heldMs: 300,
      });
      expect(driver.connections[0]?.sent).toEqual(["BEGIN"]);
      expect(() => held.release()).not.toThrow();
      const fresh = await db.connect();
      await fresh.query("SELECT 2");
      fresh.release();
      next.release();
      await clock.advance(1_000);
      expect(stats()).toMatchObject({ held: 0, overdue: 0, forced: 1 });
      await db.close();
      expect(clock.pending).toBe(0);
    });

    it("ends what a holder is running", async () => {
      const { clock, db, driver } = setUp(forced);
      const held = await db.connect();
      driver.destroying = () => Promise.resolve();
      const hung = Promise.withResolvers<never>();
      const [connection] = driver.connections as [FakeConnection];
      connection.query = () => hung.promise;
      const running = held.query("SELECT pg_sleep(1000)");
      running.catch(() => undefined);
      await clock.advance(300);
      await expect(running).rejects.toMatchObject({ code: "ERR_BREAKWATER_HELD_TOO_LONG" });
      await db.close();
    });

    it("ends a transaction as a whole, and does not have it run again", async () => {
      const { clock, db } = setUp(forced);
      let runs = 0;
      const call = db.transaction(() => {
        runs += 1;
        return new Promise(() => undefined);
      });
      call.catch(() => undefined);
      await clock.advance(300);
      await expect(call).rejects.toMatchObject({ code: "ERR_BREAKWATER_HELD_TOO_LONG" });
      await clock.advance(10_000);
      expect(runs).toBe(1);
      await db.close();
    });

    it("keeps the caller's own signal working, and leaves no listener on it", async () => {
      const { clock, db, driver } = setUp(forced);
      const { signal } = new AbortController();
      for (let each = 0; each < 3; each += 1) {
        const held = await db.connect({ signal });
        held.release();
        await clock.advance(0);
      }
      await db.transaction(() => Promise.resolve(), { signal });
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
      const stop = new AbortController();
      const held = await db.connect({ signal: stop.signal });
      const reason = new Error("mine");
      stop.abort(reason);
      await expect(held.query("SELECT 1")).rejects.toBe(reason);
      expect(driver.connections.filter(({ state }) => state === "destroyed")).toHaveLength(1);
      await expect(db.connect({ signal: stop.signal })).rejects.toBe(reason);
      await db.close();
      expect(clock.pending).toBe(0);
    });
  });

  it("refuses options that make no sense", () => {
    for (const wrong of [
      { maxHeldMs: 0 },
      { maxHeldMs: "5" },
      { maxHeldMs: 100, forceReturnAfterMs: 99 },
      { forceReturnAfterMs: 0 },
      { stackRate: -0.1 },
      { stackRate: 1.1 },
      { stackRate: Number.NaN },
      { clock: {} },
      { random: 5 },
      { maxHeld: 5 },
      5,
    ])
      expect(() => leakWatch(wrong as never), JSON.stringify(wrong)).toThrow(RangeError);
  });
});
