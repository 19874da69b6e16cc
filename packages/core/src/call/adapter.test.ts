import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { driverPool } from "./adapter.ts";
import { OutcomeUnknownError } from "../contract/errors.ts";
import { failureOf } from "../contract/failure.ts";
import { type Operation, operationContext, queryOperation, type SessionOperation } from "../contract/operation.ts";
import type { Connection, Pool } from "../contract/pool.ts";
import { fakeDialect, fakeDriver, type FakeDriver, type FakeReply, ManualClock } from "../testing/index.ts";

interface Bench {
  readonly clock: ManualClock;
  readonly driver: FakeDriver;
  readonly pool: Pool;
  /** A call of one statement; texts that begin with SELECT are reads. */
  call(text: string, context?: Partial<Operation<unknown>>): Promise<unknown>;
  transaction(
    run: (connection: Connection) => Promise<unknown>,
    context?: Partial<Operation<unknown>>,
  ): Promise<unknown>;
  session(run: (connection: Connection) => Promise<unknown>, context?: Partial<Operation<unknown>>): Promise<unknown>;
}

function bench(reply?: FakeReply, max = 2): Bench {
  const clock = new ManualClock();
  const driver = fakeDriver(reply, max);
  const pool = driverPool(driver, fakeDialect, {
    name: "unit",
    clock,
    acquireTimeoutMs: 1000,
    statementTimeoutMs: 5000,
  });
  return {
    clock,
    driver,
    pool,
    call: (text, context = {}) => {
      const access = fakeDialect.classify(text) === "read" ? "read" : "write";
      const operation = queryOperation({ text }, { ...operationContext(access), ...(context as object) });
      return pool.execute(operation).catch((error: unknown) => error);
    },
    transaction: (run, context = {}) =>
      pool
        .execute({ ...operationContext("write"), ...(context as object), kind: "transaction", transaction: {}, run })
        .catch((error: unknown) => error),
    session: (run, context = {}) => {
      const given = { ...operationContext("write"), ...(context as object) };
      const operation: SessionOperation<unknown> = { ...given, kind: "session", run };
      return pool.execute(operation).catch((error: unknown) => error);
    },
  };
}

const hang: FakeReply = () => new Promise(() => undefined);

/** Nothing is held, nothing waits, no timer runs. */
function expectRest({ pool, clock, driver }: Bench, connections?: string[]): void {
  const { active, waiting } = pool.stats();
  expect({ active, waiting, timers: clock.pending }).toEqual({ active: 0, waiting: 0, timers: 0 });
  if (connections !== undefined) expect(driver.connections.map(({ state }) => state)).toEqual(connections);
}

describe("a deadline", () => {
  it("ends a wait in the queue, and leaves nothing behind", async () => {
    const all = bench(hang, 1);
    void all.call("SELECT 1", { deadline: 900 });
    const late = all.call("SELECT 2", { deadline: 100 });
    await all.clock.advance(100);
    expect(await late).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT", phase: "acquire" });
    expect(all.pool.stats()).toMatchObject({ active: 1, waiting: 0 });
    await all.clock.advance(800);
    expectRest(all, ["destroyed"]);
  });

  it("ends a wait for a new connection, which is given back when it comes", async () => {
    const all = bench();
    let connected = (): void => undefined;
    all.driver.connecting = () => new Promise((resolve) => (connected = resolve));
    const late = all.call("SELECT 1", { deadline: 100 });
    await all.clock.advance(100);
    expect(await late).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT", phase: "connect" });
    expect(failureOf(await late)).toMatchObject({ effect: "none", retry: "other-node" });
    expect(all.pool.stats().active).toBe(1);
    connected();
    await all.clock.advance(0);
    expectRest(all, ["idle"]);
  });

  it("ends a read that runs: nothing is kept, and the connection is never used again", async () => {
    const all = bench(hang);
    const ended = all.call("SELECT 1", { deadline: 100 });
    await all.clock.advance(100);
    expect(await ended).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT", phase: "running" });
    expect(failureOf(await ended).effect).toBe("none");
    expectRest(all, ["destroyed"]);
  });

  it("ends a write that runs: its outcome is unknown", async () => {
    const all = bench(hang);
    const ended = all.call("INSERT", { deadline: 100 });
    await all.clock.advance(100);
    const error = await ended;
    expect(error).toBeInstanceOf(OutcomeUnknownError);
    expect((error as Error).cause).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
    expect(failureOf(error)).toMatchObject({ effect: "unknown", connection: "destroy" });
    expectRest(all, ["destroyed"]);
  });

  it.each(["INSERT", "SELECT 1"])(
    "that has passed before the call is sent lets nothing of it be sent: %s",
    async (text) => {
      const all = bench();
      await all.clock.advance(50);
      const ended = await all.call(text, { deadline: 50 });
      expect(ended).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
      expect(failureOf(ended).effect).toBe("none");
      expect(all.driver.connections.flatMap(({ sent }) => sent)).toEqual([]);
      expectRest(all);
    },
  );

  it("ends a transaction in the caller's own function", async () => {
    const all = bench();
    const ended = all.transaction(() => new Promise(() => undefined), { deadline: 100 });
    await all.clock.advance(100);
    expect(await ended).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
    expect(failureOf(await ended).effect).toBe("none");
    expectRest(all, ["destroyed"]);
  });

  it("ends a COMMIT that is not answered: its outcome is unknown", async () => {
    const all = bench(({ text }) => (text === "COMMIT" ? new Promise(() => undefined) : undefined));
    const ended = all.transaction(async () => "done", { deadline: 100 });
    await all.clock.advance(100);
    expect(await ended).toBeInstanceOf(OutcomeUnknownError);
    expect(failureOf(await ended).phase).toBe("committing");
    expectRest(all, ["destroyed"]);
  });

  it("ends a rollback that is not answered; the caller gets what its function threw", async () => {
    const all = bench(({ text }) => (text === "ROLLBACK" ? new Promise(() => undefined) : undefined));
    const thrown = new Error("out of stock");
    const ended = all.transaction(() => Promise.reject(thrown), { deadline: 100 });
    await all.clock.advance(100);
    expect(await ended).toBe(thrown);
    expectRest(all, ["destroyed"]);
  });

  it("bounds only a session's wait for its connection", async () => {
    const all = bench();
    const ended = all.session(
      async (connection) => {
        await all.clock.advance(500);
        return (await connection.query({ text: "SELECT 1" })).command;
      },
      { deadline: 100 },
    );
    expect(await ended).toBe("SELECT 1");
    expectRest(all, ["idle"]);
  });

  it("is not needed: a statement without one ends at the pool's limit, also in a session and in a transaction", async () => {
    for (const kind of ["call", "session", "transaction"] as const) {
      const all = bench(({ text }) => (text === "SELECT 1" ? new Promise(() => undefined) : undefined));
      const run = (connection: Connection): Promise<unknown> => connection.query({ text: "SELECT 1" });
      const ended = kind === "call" ? all.call("SELECT 1") : all[kind](run);
      await all.clock.advance(5000);
      expect(await ended, kind).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
      expectRest(all, ["destroyed"]);
    }
  });
});

describe("an abort", () => {
  const reasons: readonly unknown[] = [new Error("left"), "a text", 0, null, Object.freeze(new Error("frozen")), false];

  it.each(reasons)("before the call is passed through as it is: %s", async (reason) => {
    const all = bench();
    expect(await all.call("INSERT", { signal: AbortSignal.abort(reason) })).toBe(reason);
    expectRest(all);
    expect(all.driver.connections.flatMap(({ sent }) => sent)).toEqual([]);
  });

  it.each(reasons)("while a read runs is passed through as it is: %s", async (reason) => {
    const all = bench(hang);
    const abort = new AbortController();
    const ended = all.call("SELECT 1", { signal: abort.signal });
    await all.clock.advance(1);
    abort.abort(reason);
    expect(await ended).toBe(reason);
    expect(failureOf(reason)).toMatchObject({ retry: "never", blames: "caller" });
    expectRest(all, ["destroyed"]);
  });

  it("in the queue leaves the queue", async () => {
    const all = bench(hang, 1);
    void all.call("SELECT 1");
    const abort = new AbortController();
    const waiting = all.call("SELECT 2", { signal: abort.signal });
    await all.clock.advance(1);
    expect(all.pool.stats().waiting).toBe(1);
    abort.abort("left");
    expect(await waiting).toBe("left");
    expect(all.pool.stats().waiting).toBe(0);
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
  });

  it("while connecting gives the connection back when it comes, or the place when it does not", async () => {
    for (const arrives of [true, false]) {
      const all = bench();
      let settle = (): void => undefined;
      all.driver.connecting = () =>
        new Promise((resolve, reject) => (settle = arrives ? resolve : () => reject(new Error("refused"))));
      const abort = new AbortController();
      const ended = all.call("INSERT", { signal: abort.signal });
      await all.clock.advance(1);
      abort.abort("left");
      expect(await ended).toBe("left");
      settle();
      await all.clock.advance(0);
      expectRest(all, arrives ? ["idle"] : []);
    }
  });

  it("of a write that has been sent says that the outcome is unknown, and why", async () => {
    for (const reason of reasons) {
      const all = bench(hang);
      const abort = new AbortController();
      const ended = all.call("INSERT", { signal: abort.signal });
      await all.clock.advance(1);
      abort.abort(reason);
      const error = await ended;
      expect(error).toBeInstanceOf(OutcomeUnknownError);
      expect((error as Error).cause).toBe(reason);
      expectRest(all, ["destroyed"]);
    }
  });

  it("in COMMIT says that the outcome is unknown; after it, nothing", async () => {
    const all = bench(({ text }) => (text === "COMMIT" ? new Promise(() => undefined) : undefined));
    const abort = new AbortController();
    const ended = all.transaction(async () => 1, { signal: abort.signal });
    await all.clock.advance(1);
    abort.abort();
    expect(await ended).toBeInstanceOf(OutcomeUnknownError);

    const other = bench();
    const late = new AbortController();
    expect(await other.transaction(async () => 1, { signal: late.signal })).toBe(1);
    late.abort();
    expectRest(other, ["idle"]);
  });

  it("is shared by a thousand calls without a listener left or a warning", async () => {
    const warnings: unknown[] = [];
    const hear = (warning: unknown): void => void warnings.push(warning);
    process.on("warning", hear);
    const all = bench(undefined, 10);
    const abort = new AbortController();
    await Promise.all(Array.from({ length: 1000 }, () => all.call("SELECT 1", { signal: abort.signal })));
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    const hung = bench(hang, 10);
    const calls = Array.from({ length: 1000 }, () => hung.call("SELECT 1", { signal: abort.signal }));
    await hung.clock.advance(1);
    abort.abort("all");
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["all"]));
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    expectRest(hung);
    // Warnings are told in a turn of the event loop of their own.
    await hung.clock.advance(1);
    process.off("warning", hear);
    expect(warnings).toEqual([]);
  });
});

describe("an interrupt", () => {
  const lost = new Error("the node is gone");

  it("ends calls that run, wait and connect, and leaves the others alone", async () => {
    const all = bench(hang, 2);
    const running = all.call("SELECT 1");
    await all.clock.advance(1);
    all.driver.connecting = () => new Promise(() => undefined);
    const connecting = all.call("INSERT");
    const queued = all.call("INSERT");
    await all.clock.advance(1);
    all.pool.interrupt(lost);
    for (const error of await Promise.all([running, connecting, queued])) {
      expect(error).toMatchObject({ code: "ERR_BREAKWATER_NODE_LOST", cause: lost });
      expect(failureOf(error)).toMatchObject({ effect: "none", retry: "other-node", blames: "node" });
    }
    expect(all.pool.stats().waiting).toBe(0);
    expect(all.clock.pending).toBe(0);
  });

  it("twice, and with nothing under way, does no more than once", async () => {
    const all = bench();
    await all.call("SELECT 1");
    all.pool.interrupt(lost);
    all.pool.interrupt(lost);
    expectRest(all, ["destroyed"]);
    await all.call("SELECT 1");
    expectRest(all, ["destroyed", "idle"]);
  });

  it("in a transaction keeps nothing, in its COMMIT leaves the outcome unknown", async () => {
    for (const [at, effect] of [
      ["INSERT", "none"],
      ["COMMIT", "unknown"],
    ] as const) {
      const all = bench(({ text }) => (text === at ? new Promise(() => undefined) : undefined));
      const ended = all.transaction((connection) => connection.query({ text: "INSERT" }));
      await all.clock.advance(1);
      all.pool.interrupt(lost);
      expect(failureOf(await ended)).toMatchObject({ effect, retry: "other-node" });
      expectRest(all, ["destroyed"]);
    }
  });

  it("ends a session, which is never run again, and whatever it sends afterwards", async () => {
    const all = bench();
    let held: Connection | undefined;
    const ended = all.session((connection) => {
      held = connection;
      return new Promise(() => undefined);
    });
    await all.clock.advance(1);
    all.pool.interrupt(lost);
    expect(failureOf(await ended)).toMatchObject({ retry: "never" });
    await expect(held?.query({ text: "SELECT 1" })).rejects.toMatchObject({ code: "ERR_BREAKWATER_NODE_LOST" });
    expect(all.driver.connections[0]?.sent).toEqual([]);
    expectRest(all, ["destroyed"]);
  });

  it("lets no probe's connection of before be used again", async () => {
    const all = bench();
    await all.call("SELECT 1", { purpose: "probe" });
    all.pool.interrupt(lost);
    await all.call("SELECT 1", { purpose: "probe" });
    expect(all.driver.connections.map(({ state }) => state)).toEqual(["destroyed", "held"]);
    await all.pool.close();
    expectRest(all, ["destroyed", "destroyed"]);
  });
});

describe("a probe", () => {
  it("gets through when all connections are taken, and does not count", async () => {
    const all = bench(({ text }) => (text === "HANG" ? new Promise(() => undefined) : undefined), 1);
    void all.call("HANG");
    await all.clock.advance(1);
    expect(await all.call("SELECT 1", { purpose: "probe" })).toMatchObject({ command: "SELECT 1" });
    expect(all.pool.stats()).toMatchObject({ active: 1, max: 1 });
  });

  it("keeps one connection, however many ask at once", async () => {
    const all = bench();
    await Promise.all(Array.from({ length: 5 }, () => all.call("SELECT 1", { purpose: "probe" })));
    await all.clock.advance(0);
    expect(all.driver.connections.filter(({ state }) => state === "held")).toHaveLength(1);
    await all.call("SELECT 1", { purpose: "probe" });
    expect(all.driver.connections).toHaveLength(5);
    await all.pool.close();
    expect(all.driver.connections.every(({ state }) => state === "destroyed")).toBe(true);
  });

  it("whose connection comes after the end of the pool leaves it to nobody", async () => {
    const all = bench();
    let connected = (): void => undefined;
    all.driver.connecting = () => new Promise((resolve) => (connected = resolve));
    const ended = all.call("SELECT 1", { purpose: "probe" });
    await all.clock.advance(0);
    await all.pool.close();
    connected();
    expect(await ended).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
    await all.clock.advance(0);
    expectRest(all, ["destroyed"]);
  });
});

describe("close", () => {
  it("refuses those who wait, in the queue and for a connection, at once", async () => {
    const all = bench(hang, 2);
    void all.call("SELECT 1");
    await all.clock.advance(1);
    all.driver.connecting = () => new Promise(() => undefined);
    const connecting = all.call("SELECT 2");
    const queued = all.call("SELECT 3");
    await all.clock.advance(1);
    const closed = all.pool.close({ drainMs: 100 });
    for (const error of await Promise.all([connecting, queued])) {
      expect(error).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
    }
    await all.clock.advance(100);
    await closed;
    expect(all.driver.closed).toBe(true);
    expect(all.clock.pending).toBe(0);
  });

  it("waits for running calls, and no longer than it takes", async () => {
    let answer = (): void => undefined;
    const all = bench(() => new Promise((resolve) => (answer = () => resolve(undefined))));
    const running = all.call("SELECT 1");
    await all.clock.advance(1);
    const closed = all.pool.close();
    await all.clock.advance(1);
    expect(all.driver.closed).toBe(false);
    answer();
    expect(await running).toMatchObject({ command: "SELECT 1" });
    await closed;
    expectRest(all, ["destroyed"]);
  });

  it("cuts off what runs too long: reads, writes, transactions and sessions", async () => {
    const all = bench(({ text }) => (text === "BEGIN" ? undefined : new Promise(() => undefined)), 4);
    const calls = [
      all.call("SELECT 1"),
      all.call("INSERT"),
      all.transaction(() => new Promise(() => undefined)),
      all.session(() => new Promise(() => undefined)),
    ];
    await all.clock.advance(1);
    const closed = all.pool.close({ drainMs: 100 });
    await all.clock.advance(100);
    await closed;
    const codes = (await Promise.all(calls)).map((error) => (error as { code: string }).code.slice(15));
    expect(codes).toEqual(["POOL_CLOSED", "OUTCOME_UNKNOWN", "POOL_CLOSED", "POOL_CLOSED"]);
    expectRest(all, ["destroyed", "destroyed", "destroyed", "destroyed"]);
  });

  it("does not wait for a ROLLBACK of an open transaction that is not answered", async () => {
    const all = bench(({ text }) => (text === "ROLLBACK" ? new Promise(() => undefined) : undefined));
    await all.call("BEGIN");
    expect(all.pool.stats().active).toBe(1);
    const closed = all.pool.close({ drainMs: 100 });
    await all.clock.advance(100);
    await closed;
    expectRest(all, ["destroyed"]);
  });

  it("twice, and during an interrupt, is one end", async () => {
    const all = bench(hang);
    const running = all.call("SELECT 1");
    await all.clock.advance(1);
    const first = all.pool.close();
    const second = all.pool.close();
    all.pool.interrupt(new Error("gone"));
    await Promise.all([first, second]);
    expect(await running).toMatchObject({ code: "ERR_BREAKWATER_NODE_LOST" });
    await all.pool.close();
    expect(await all.call("SELECT 1")).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
    expectRest(all, ["destroyed"]);
  });

  it("refuses a limit that is none, and stays open", async () => {
    const all = bench();
    for (const drainMs of [Number.NaN, -1, Number.POSITIVE_INFINITY, "1" as never]) {
      await expect(all.pool.close({ drainMs })).rejects.toMatchObject({ code: "ERR_BREAKWATER_OPTION" });
    }
    expect(await all.call("SELECT 1")).toMatchObject({ command: "SELECT 1" });
  });
});

describe("a connection", () => {
  it("that comes back inside a transaction is rolled back first, and told of", async () => {
    const all = bench();
    const told: unknown[] = [];
    all.pool.events.on("connection:open-transaction", (event) => told.push(event));
    await all.call("BEGIN");
    await all.clock.advance(0);
    await all.session((connection) => connection.query({ text: "BEGIN" }), { label: "import" });
    await all.clock.advance(0);
    expect(all.driver.connections.map(({ sent }) => sent)).toEqual([["BEGIN", "ROLLBACK", "BEGIN", "ROLLBACK"]]);
    expect(told).toEqual([
      { pool: all.pool.name, label: undefined },
      { pool: all.pool.name, label: "import" },
    ]);
    expectRest(all, ["idle"]);
  });

  it("is destroyed when the rollback is not answered in time", async () => {
    const all = bench(({ text }) => (text === "ROLLBACK" ? new Promise(() => undefined) : undefined));
    await all.call("BEGIN");
    await all.clock.advance(5000);
    expect(all.driver.connections.map(({ state }) => state)).toEqual(["destroyed"]);
  });

  it("is destroyed, and its place is free, when what resets it never ends", async () => {
    const clock = new ManualClock();
    const driver = Object.assign(fakeDriver(undefined, 1), { reset: () => new Promise<void>(() => undefined) });
    const limits = { name: "unit", clock, acquireTimeoutMs: 60_000, statementTimeoutMs: 5_000 };
    const pool = driverPool(driver, fakeDialect, limits);
    const call = (): Promise<unknown> => pool.execute(queryOperation({ text: "SELECT 1" }, operationContext("read")));
    await call();
    const next = call();
    await clock.advance(5_000);
    await next;
    expect(driver.connections.map(({ state }) => state)).toEqual(["destroyed", "held"]);
    await clock.advance(5_000);
    expect(driver.connections.map(({ state }) => state)).toEqual(["destroyed", "destroyed"]);
    expect(pool.stats()).toMatchObject({ active: 0, waiting: 0 });
    expect(clock.pending).toBe(0);
    await pool.close();
  });

  it("whose statement nobody waited for is destroyed", async () => {
    const all = bench(hang);
    let left: Promise<unknown> | undefined;
    await all.session(async (connection) => {
      left = connection.query({ text: "SELECT 1" });
    });
    expectRest(all, ["destroyed"]);
    await expect(left).rejects.toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
  });

  it("of which it is unknown whether a transaction is open is rolled back, without telling of one", async () => {
    const all = bench((_, connection) => {
      connection.transactionStatus = "unknown";
      return undefined;
    });
    const told: unknown[] = [];
    all.pool.events.on("connection:open-transaction", (event) => told.push(event));
    await all.call("SELECT 1");
    await all.clock.advance(0);
    expect(all.driver.connections[0]?.sent).toEqual(["SELECT 1", "ROLLBACK"]);
    expect(told).toEqual([]);
    expectRest(all, ["idle"]);
  });

  it("serves one statement at a time, in the order in which they were asked for", async () => {
    let running = 0;
    let most = 0;
    const all = bench(async ({ text }) => {
      most = Math.max(most, (running += 1));
      await Promise.resolve();
      running -= 1;
      if (text === "SELECT 3") throw new Error("planted");
    });
    const texts = Array.from({ length: 6 }, (_, at) => `SELECT ${at}`);
    const outcomes = await all.session((connection) =>
      Promise.allSettled(texts.map((text) => connection.query({ text }))),
    );
    expect((outcomes as PromiseSettledResult<unknown>[]).map(({ status }) => status[0]).join("")).toBe("fffrff");
    expect(all.driver.connections[0]?.sent).toEqual(texts);
    expect(most).toBe(1);
  });

  it("has statements that fail unseen end no process", async () => {
    const all = bench(({ text }) => {
      if (text === "BAD") throw new Error("planted");
    });
    const ended = all.transaction(async (connection) => {
      void connection.query({ text: "BAD" });
    });
    expect(await ended).toMatchObject({ code: "ERR_BREAKWATER_ROLLED_BACK" });
    expectRest(all, ["idle"]);
  });

  it("that cannot be got because the driver throws leaves no place taken", async () => {
    const all = bench(undefined, 1);
    const acquire = all.driver.acquire.bind(all.driver);
    all.driver.acquire = () => {
      throw new Error("planted");
    };
    for (let at = 0; at < 3; at += 1) expect(await all.call("SELECT 1")).toMatchObject({ message: "planted" });
    all.driver.acquire = acquire;
    expect(await all.call("SELECT 1")).toMatchObject({ command: "SELECT 1" });
    expectRest(all, ["idle"]);
  });
});
