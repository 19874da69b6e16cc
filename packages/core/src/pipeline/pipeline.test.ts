import { beforeEach, describe, expect, it } from "vitest";
import { driverPool } from "../call/adapter.ts";
import { Causality } from "../contract/causality.ts";
import type { Driver, DriverConnection, Pipelining, StatementReceiver } from "../contract/driver.ts";
import { operationContext, type OperationContext, queryOperation } from "../contract/operation.ts";
import type { Pool, QueryResult, Statement } from "../contract/pool.ts";
import { fakeDialect, ManualClock } from "../testing/index.ts";

/** A connection that keeps what it is sent until the test answers. */
class Link implements DriverConnection {
  readonly driver: object = this;
  readonly transactionStatus = "idle" as const;
  usable = true;
  released = 0;
  destroyed: boolean | undefined;
  flushes = 0;
  readonly sent: { readonly text: string; readonly receiver: StatementReceiver }[] = [];
  readonly #home: Driver_;

  constructor(home: Driver_) {
    this.#home = home;
  }

  send({ text }: Statement, receiver: StatementReceiver): boolean {
    if (text === "refused") throw new Error("refused by the driver");
    if (!this.usable) return false;
    this.sent.push({ text, receiver });
    return true;
  }

  flush(): void {
    this.flushes += 1;
  }

  answer(count = 1): void {
    for (const { text, receiver } of this.sent.splice(0, count)) receiver.answered(result(text));
  }

  fail(error: unknown): void {
    this.sent.shift()?.receiver.failed(error);
  }

  die(error: unknown): void {
    this.usable = false;
    for (const { receiver } of this.sent.splice(0)) receiver.failed(error);
  }

  query<Row>(): Promise<QueryResult<Row>> {
    return Promise.reject(new Error("not asked for"));
  }

  release(): void {
    this.released += 1;
    this.#home.idle.push(this);
  }

  destroy(cancel: boolean): Promise<void> {
    this.usable = false;
    this.destroyed = cancel;
    return Promise.resolve();
  }
}

class Driver_ implements Driver {
  readonly idle: Link[] = [];
  readonly links: Link[] = [];
  readonly max: number;
  readonly pipelining: Pipelining;
  again?: (connection: DriverConnection, now: number) => boolean;

  constructor(max: number, pipelining: Pipelining) {
    this.max = max;
    this.pipelining = pipelining;
  }

  listen(): void {}

  acquire(): DriverConnection {
    const idle = this.idle.pop();
    if (idle !== undefined) return idle;
    const link = new Link(this);
    this.links.push(link);
    return link;
  }

  open(): Promise<DriverConnection> {
    return Promise.resolve(new Link(this));
  }

  counts(): { readonly total: number; readonly idle: number } {
    return { total: this.links.length, idle: this.idle.length };
  }

  retire(): void {
    this.idle.length = 0;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function result(text: string): QueryResult {
  return { rows: [{ text }], rowCount: 1, command: "SELECT", fields: [] };
}

describe("pipelined reads", () => {
  let clock: ManualClock;
  let driver: Driver_;
  let pool: Pool;

  const open = (max: number, pipelining: Partial<Pipelining> = {}): void => {
    driver = new Driver_(max, { depth: 32, connections: 4, fits: () => true, ...pipelining });
    pool = driverPool(driver, fakeDialect, { name: "db", clock, acquireTimeoutMs: 500 });
  };
  const read = (text: string, context: Partial<OperationContext> = {}): Promise<QueryResult> =>
    pool.execute(queryOperation({ text }, { ...operationContext("read"), ...context }));
  const outcome = (call: Promise<QueryResult>): Promise<unknown> =>
    call.then(
      ({ rows: [row] }) => row?.["text"],
      (error: { readonly code?: string; readonly message: string }) => error.code ?? error.message,
    );

  beforeEach(() => {
    clock = new ManualClock();
    open(10);
  });

  it("share a connection until it is busy, then the next, and give all back", async () => {
    const calls = Array.from({ length: 20 }, (_, index) => outcome(read(`r${index}`)));
    expect(driver.links.map(({ sent }) => sent.length)).toEqual([8, 8, 4]);
    await clock.advance(0);
    expect(driver.links.map(({ flushes }) => flushes)).toEqual([1, 1, 1]);
    for (const link of driver.links) link.answer(20);
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, (_, index) => `r${index}`));
    expect(driver.links.map(({ released }) => released)).toEqual([1, 1, 1]);
    expect(pool.stats()).toMatchObject({ active: 0, waiting: 0, metrics: { calls: 20, failed: 0 } });
    expect(clock.pending).toBe(0);
  });

  it("never share with a write, a transaction, a probe or what does not fit", () => {
    open(10, { fits: ({ text }) => text !== "slow" });
    void read("r0");
    for (const text of ["slow", "slow"]) read(text).catch(() => undefined);
    pool.execute(queryOperation({ text: "w" }, operationContext("write"))).catch(() => undefined);
    pool
      .execute({
        ...queryOperation({ text: "own" }, operationContext("read")),
        run: (connection) => connection.query({ text: "x" }),
      })
      .catch(() => undefined);
    expect(driver.links.map(({ sent }) => sent.map(({ text }) => text))).toEqual([
      ["r0"],
      ["slow"],
      ["slow"],
      ["w"],
      [],
    ]);
  });

  it("wait in order where all connections are full, and are served as there is room", async () => {
    open(1, { depth: 2 });
    const calls = ["a", "b", "c", "d"].map((text) => outcome(read(text)));
    expect(pool.stats()).toMatchObject({ active: 1, waiting: 2 });
    const [link] = driver.links;
    link?.answer();
    expect(link?.sent.map(({ text }) => text)).toEqual(["b", "c"]);
    link?.answer(2);
    link?.answer(2);
    expect(await Promise.all(calls)).toEqual(["a", "b", "c", "d"]);
    // The one that had been asked for besides comes when nobody needs it any more.
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ active: 0, waiting: 0 });
  });

  it("fail each on its own", async () => {
    const calls = ["a", "b", "c"].map((text) => outcome(read(text)));
    const [link] = driver.links;
    link?.answer();
    link?.fail(new Error("only b"));
    link?.answer();
    expect(await Promise.all(calls)).toEqual(["a", "only b", "c"]);
    expect(await outcome(read("refused"))).toBe("refused by the driver");
    expect(pool.stats()).toMatchObject({ active: 0, metrics: { calls: 4, failed: 2 } });
  });

  it("go on elsewhere when their connection dies: only the one that ran has failed", async () => {
    const calls = ["a", "b", "c"].map((text) => outcome(read(text)));
    driver.links[0]?.die(new Error("the link is gone"));
    await clock.advance(0);
    expect(driver.links[1]?.sent.map(({ text }) => text)).toEqual(["b", "c"]);
    driver.links[1]?.die(new Error("gone again"));
    // Nobody is sent a third time.
    expect(await Promise.all(calls)).toEqual(["the link is gone", "gone again", "gone again"]);
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ active: 0 });
    expect(clock.pending).toBe(0);
  });

  it("do not wait behind one that is stuck", async () => {
    const calls = ["stuck", "b", "c"].map((text) => outcome(read(text)));
    await clock.advance(60);
    const [first, second] = driver.links;
    expect(second?.sent.map(({ text }) => text)).toEqual(["b", "c"]);
    // Nothing more is put there.
    calls.push(outcome(read("d")));
    expect(first?.sent).toHaveLength(3);
    second?.answer(3);
    expect(await Promise.all(calls.slice(1))).toEqual(["b", "c", "d"]);
    first?.answer(3);
    expect(await calls[0]).toBe("stuck");
    expect(first?.released).toBe(1);
    expect(pool.stats()).toMatchObject({ active: 0, metrics: { calls: 4 } });
    expect(clock.pending).toBe(0);
  });

  it("take the first answer of two", async () => {
    const calls = ["stuck", "b"].map((text) => outcome(read(text)));
    await clock.advance(60);
    driver.links[0]?.answer(2);
    expect(await Promise.all(calls)).toEqual(["stuck", "b"]);
    driver.links[1]?.answer();
    expect(pool.stats()).toMatchObject({ active: 0, metrics: { calls: 2 } });
  });

  it("end at their deadline, and what is left running is cancelled with its connection", async () => {
    const late = outcome(read("late", { deadline: 100 }));
    const patient = outcome(read("patient", { deadline: 10_000 }));
    await clock.advance(99);
    expect(driver.links[0]?.destroyed).toBeUndefined();
    await clock.advance(1);
    expect(await late).toBe("ERR_BREAKWATER_TIMEOUT");
    await clock.advance(60);
    expect(driver.links[0]?.destroyed).toBe(true);
    driver.links[1]?.answer();
    expect(await patient).toBe("patient");
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ active: 0 });
    expect(clock.pending).toBe(0);
  });

  it("end when a statement without a deadline runs longer than the pool's limit", async () => {
    const call = outcome(read("long"));
    await clock.advance(60_000);
    expect(await call).toBe("ERR_BREAKWATER_TIMEOUT");
  });

  it("let their caller leave, waiting or sent, and leave no listener", async () => {
    open(1, { depth: 1 });
    const abort = new AbortController();
    const calls = ["a", "b", "c"].map((text) => outcome(read(text, text === "c" ? {} : { signal: abort.signal })));
    abort.abort(new Error("left"));
    expect(await Promise.all(calls.slice(0, 2))).toEqual(["left", "left"]);
    driver.links[0]?.answer();
    driver.links[0]?.answer();
    expect(await calls[2]).toBe("c");
    expect(driver.links[0]?.released).toBe(1);
    expect(await outcome(read("d", { signal: abort.signal }))).toBe("left");
  });

  it("give way to those who need a connection to themselves", async () => {
    open(1);
    const first = outcome(read("a"));
    const write = pool.execute(queryOperation({ text: "w" }, operationContext("write")));
    await clock.advance(30);
    // What comes from now on waits behind the write.
    const second = outcome(read("b"));
    const [link] = driver.links;
    expect(link?.sent.map(({ text }) => text)).toEqual(["a"]);
    link?.answer();
    expect(await first).toBe("a");
    await clock.advance(0);
    expect(link?.sent.map(({ text }) => text)).toEqual(["w"]);
    link?.answer();
    await write;
    await clock.advance(0);
    link?.answer();
    expect(await second).toBe("b");
  });

  it("are ended by an interrupt and by the end of the pool", async () => {
    const calls = ["a", "b"].map((text) => outcome(read(text)));
    pool.interrupt(new Error("the node is gone"));
    expect(await Promise.all(calls)).toEqual(["ERR_BREAKWATER_NODE_LOST", "ERR_BREAKWATER_NODE_LOST"]);
    const last = outcome(read("c"));
    const closed = pool.close({ drainMs: 100 });
    await clock.advance(100);
    expect(await last).toBe("ERR_BREAKWATER_POOL_CLOSED");
    await closed;
    expect(clock.pending).toBe(0);
  });

  it("open no connection anew before those who route calls have heard that one was lost", async () => {
    const calls = Array.from({ length: 20 }, (_, index) => outcome(read(`r${index}`)));
    // As a router does that hears of the first failure.
    void calls[0]?.then(() => pool.interrupt(new Error("the node is gone"), "waiting"));
    for (const link of driver.links) link.usable = false;
    const dead = [...driver.links];
    for (const link of dead) link.die(new Error("gone"));
    await clock.advance(0);
    expect(driver.links).toHaveLength(dead.length);
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["gone", "ERR_BREAKWATER_NODE_LOST"]));
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ active: 0, waiting: 0 });
    expect(clock.pending).toBe(0);
  });

  it("are not given one by one to connections of their own because their link is dead and has not said so", async () => {
    const first = outcome(read("a"));
    const [link] = driver.links;
    if (link !== undefined) link.usable = false;
    const calls = ["b", "c", "d"].map((text) => outcome(read(text)));
    await clock.advance(0);
    expect(driver.links.slice(1).map(({ sent }) => sent.map(({ text }) => text))).toEqual([["b", "c", "d"]]);
    link?.die(new Error("gone"));
    driver.links[1]?.answer(3);
    expect(await Promise.all([first, ...calls])).toEqual(["gone", "b", "c", "d"]);
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ active: 0, waiting: 0 });
    expect(clock.pending).toBe(0);
  });

  it("are served when the connection that they waited for dies", async () => {
    open(2, { depth: 1, connections: 1 });
    const calls = ["a", "b", "c"].map((text) => outcome(read(text)));
    driver.links[0]?.die(new Error("gone"));
    await clock.advance(0);
    driver.links[1]?.answer();
    driver.links[1]?.answer();
    expect(await Promise.all(calls)).toEqual(["gone", "b", "c"]);
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });

  it.each(["all", "waiting", "reads"] as const)("end where they wait, by an interrupt of %s", async (whom) => {
    open(1, { depth: 1, connections: 1 });
    const calls = ["a", "b", "c"].map((text) => outcome(read(text)));
    pool.interrupt(new Error("gone"), whom);
    expect(await Promise.all(calls.slice(1))).toEqual(["ERR_BREAKWATER_NODE_LOST", "ERR_BREAKWATER_NODE_LOST"]);
    driver.links[0]?.answer();
    expect(await calls[0]).toBe(whom === "waiting" ? "a" : "ERR_BREAKWATER_NODE_LOST");
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ active: 0, waiting: 0 });
    expect(clock.pending).toBe(0);
  });

  it("end where they wait, when the pool is closed", async () => {
    open(1, { depth: 1, connections: 1 });
    const calls = ["a", "b"].map((text) => outcome(read(text)));
    const closed = pool.close({ drainMs: 50 });
    await clock.advance(50);
    await closed;
    expect(await Promise.all(calls)).toEqual(["ERR_BREAKWATER_POOL_CLOSED", "ERR_BREAKWATER_POOL_CLOSED"]);
    expect(clock.pending).toBe(0);
  });

  it("have a connection to themselves when they have stood behind two that are stuck", async () => {
    open(10, { connections: 2 });
    const leave = new AbortController();
    const heads = [outcome(read("stuck 1", { signal: leave.signal }))];
    const behind = outcome(read("behind"));
    const filling = Array.from({ length: 6 }, (_, index) => outcome(read(`f${index}`)));
    heads.push(outcome(read("stuck 2", { signal: leave.signal })));
    expect(driver.links.map(({ sent }) => sent[0]?.text)).toEqual(["stuck 1", "stuck 2"]);
    // It is sent again behind the other one, and neither is waited for any more.
    leave.abort(new Error("left"));
    for (let step = 0; step < 8; step += 1) {
      await clock.advance(25);
      for (const link of driver.links.slice(2)) if (link.usable) link.answer(20);
    }
    expect(await Promise.all([...heads, behind, ...filling])).toEqual([
      "left",
      "left",
      "behind",
      ...filling.map((_, index) => `f${index}`),
    ]);
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ active: 0, waiting: 0 });
    expect(clock.pending).toBe(0);
  });

  it("wait each as long as a call may, whatever became of who waited before", async () => {
    open(1, { depth: 1, connections: 1 });
    const held = pool.execute<unknown>({
      ...operationContext("read"),
      kind: "session",
      run: () => new Promise((resolve) => clock.setTimer(700, () => resolve("held"))),
    });
    const early = outcome(read("early"));
    await clock.advance(400);
    const later = outcome(read("later"));
    await clock.advance(100);
    expect(await early).toBe("ERR_BREAKWATER_TIMEOUT");
    await clock.advance(200);
    await held;
    await clock.advance(0);
    driver.links[0]?.answer();
    expect(await later).toBe("later");
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ active: 0, waiting: 0 });
    expect(clock.pending).toBe(0);
  });

  it("note nothing in the session that a read does not say", async () => {
    const causality = new Causality(false);
    const call = read("a", { causality });
    driver.links[0]?.answer();
    await call;
    expect(causality.unplaced).toBe(false);
  });

  describe("where a connection can serve again without going back", () => {
    beforeEach(() => {
      driver.again = ({ usable }) => usable;
    });

    const asksAgain = async (): Promise<void> => {
      const first = read("a");
      driver.links[0]?.answer();
      await first;
    };

    it("keep it for who asks for more with the answer in hand, and give it back once nobody does", async () => {
      await asksAgain();
      const second = read("b");
      expect(driver.links.map(({ sent, released }) => [sent.length, released])).toEqual([[1, 0]]);
      driver.links[0]?.answer();
      await second;
      await clock.advance(0);
      expect(driver.links.map(({ released }) => released)).toEqual([1]);
      expect(clock.pending).toBe(0);
    });

    it("fill one before another that is kept, and give back what is not needed", async () => {
      const burst = async (count: number): Promise<number[]> => {
        const calls = Array.from({ length: count }, (_, index) => read(`r${index}`));
        const sent = driver.links.map((link) => link.sent.length);
        for (const link of driver.links) link.answer(count);
        await Promise.all(calls);
        return sent;
      };
      expect(await burst(20)).toEqual([8, 8, 4]);
      expect(await burst(10)).toEqual([8, 2, 0]);
      await clock.advance(0);
      expect(pool.stats()).toMatchObject({ active: 0, idle: 3 });
      expect(driver.links.map(({ released }) => released)).toEqual([1, 1, 1]);
    });

    it("let nobody see that it is kept", async () => {
      await asksAgain();
      expect(pool.stats()).toMatchObject({ active: 0, idle: 1 });
      expect(clock.pending).toBe(0);
    });

    it("leave it to who needs one to himself", async () => {
      open(1);
      driver.again = () => true;
      await asksAgain();
      const run = (connection: unknown): Promise<unknown> => Promise.resolve(connection);
      const session = pool.execute<unknown>({ ...operationContext("write"), kind: "session", run });
      expect(driver.links.map(({ released }) => released)).toEqual([1]);
      await session;
    });

    it("take another one when it must not serve again", async () => {
      await asksAgain();
      const [kept] = driver.links;
      if (kept !== undefined) kept.usable = false;
      const second = outcome(read("b"));
      expect(kept?.destroyed).toBe(false);
      driver.links[1]?.answer();
      expect(await second).toBe("b");
    });

    it("end it with the pool", async () => {
      await asksAgain();
      await pool.close({ drainMs: 0 });
      expect(driver.links.map(({ released }) => released)).toEqual([1]);
    });

    it("leave at once where one caller asks one thing after the other, else together", async () => {
      await asksAgain();
      await clock.advance(0);
      const [link] = driver.links;
      expect(link?.flushes).toBe(1);
      const lone = read("b");
      expect(link?.flushes).toBe(2);
      link?.answer();
      await lone;
      const three = ["c", "d", "e"].map((text) => read(text));
      expect(link?.flushes).toBe(3);
      await clock.advance(0);
      expect(link?.flushes).toBe(4);
      link?.answer(3);
      await Promise.all(three);
      await clock.advance(0);
      const two = ["f", "g"].map((text) => read(text));
      expect(link?.flushes).toBe(4);
      link?.answer(2);
      await Promise.all(two);
    });
  });
});
