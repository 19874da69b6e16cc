import { type Cluster, startCluster } from "@breakwater/chaos";
import { database, type Operation, operationContext, queryOperation } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";

// What a stack leaves in the process when it has ended, on a server that is well and on one that does not answer.

let cluster: Cluster;
const source = (max = 3): Record<string, unknown> => ({
  host: "127.0.0.1",
  port: cluster.primary.directPort,
  user: "postgres",
  database: "postgres",
  application_name: "ending",
  max,
});

/** Sockets and timers of this process. */
const resources = (): string[] =>
  process
    .getActiveResourcesInfo()
    .filter((name) => /^(TCPSocket|TLS|Timeout|GetAddrInfo)/.test(name))
    .toSorted();

const probe = (): Operation<unknown> => ({
  ...queryOperation({ text: "SELECT 1" }, operationContext("read")),
  purpose: "probe",
  deadline: performance.now() + 30_000,
});

async function took(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

describe("closing", () => {
  let timers: number;

  const nothingLeft = (): void => {
    expect(resources().filter((name) => name !== "Timeout")).toEqual([]);
    // The test runner has one of its own now and then.
    expect(resources().length).toBeLessThanOrEqual(timers);
  };

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    await cluster.primary.query("CREATE TABLE ending (id int)");
  });

  afterAll(() => cluster.close());

  beforeEach(async () => {
    // The kit's own questions to the server end in a moment.
    await until("no socket to be open", () => !resources().includes("TCPSocketWrap"));
    timers = Math.max(1, resources().length);
  });

  afterEach(async () => {
    cluster.primary.resume();
    await until("the server to answer", () =>
      cluster.primary.query("SELECT 1").then(
        () => true,
        () => false,
      ),
    );
    await until("no connection to be left at the server", async () => {
      const [row] = await cluster.primary.query(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'ending'",
      );
      return row?.["n"] === 0;
    });
  });

  it("leaves no socket and no timer, and no connection at the server: idle ones, probes, borrowed ones", async () => {
    expect.hasAssertions();
    const pool = fromPg(source());
    const db = database(pool);
    await Promise.all(Array.from({ length: 20 }, () => db.query("SELECT 1")));
    await pool.execute(probe());
    const held = await db.connect();
    await held.query("BEGIN");
    const closed = db.close();
    held.release();
    await closed;
    nothingLeft();
  });

  it("on a server that hangs ends what runs, connects and is idle, in bounded time", async () => {
    const pool = fromPg(source(4));
    const db = database(pool);
    const held = await Promise.all([db.connect(), db.connect(), db.connect()]);
    for (const connection of held) await connection.query("SELECT 1");
    for (const connection of held.slice(1)) connection.release();
    await pool.execute(probe());
    cluster.primary.hang();
    const calls = [
      errorOf(db.query("SELECT 1")),
      errorOf(db.query("INSERT INTO ending VALUES (1)")),
      errorOf(db.query("SELECT 2")),
      errorOf(db.query("SELECT 3")),
      errorOf(db.transaction((tx) => tx.query("SELECT 1"))),
      errorOf(held[0]?.query("SELECT 1") ?? Promise.resolve()),
      errorOf(pool.execute(probe())),
    ];
    await until("the calls to be under way", () => db.stats().active === 4 && db.stats().idle === 0);
    expect(await took(() => db.close({ drainMs: 200 }))).toBeLessThan(6_000);
    const codes = (await Promise.all(calls)).map(({ code }) => code);
    expect(codes).toEqual([
      "ERR_BREAKWATER_POOL_CLOSED",
      "ERR_BREAKWATER_OUTCOME_UNKNOWN",
      "ERR_BREAKWATER_POOL_CLOSED",
      "ERR_BREAKWATER_POOL_CLOSED",
      "ERR_BREAKWATER_POOL_CLOSED",
      "ERR_BREAKWATER_POOL_CLOSED",
      "ERR_BREAKWATER_POOL_CLOSED",
    ]);
    nothingLeft();
  });

  it("on a server that hangs ends idle connections that it cannot say goodbye to", async () => {
    const pool = fromPg(source());
    const db = database(pool);
    await Promise.all(Array.from({ length: 3 }, () => db.query("SELECT pg_sleep(0.05)")));
    await pool.execute(probe());
    cluster.primary.hang();
    expect(await took(() => db.close())).toBeLessThan(4_000);
    nothingLeft();
  });

  it("on a server that hangs does not wait for the rollback of what was left open", async () => {
    const db = database(fromPg(source()));
    const held = await db.connect();
    await held.query("BEGIN");
    cluster.primary.hang();
    held.release();
    await until("the call to be over", () => db.stats().active === 1);
    expect(await took(() => db.close({ drainMs: 100 }))).toBeLessThan(5_000);
    nothingLeft();
  });

  it("gives up new connections that are on their way", async () => {
    cluster.primary.hang();
    const pool = fromPg(source(), { connectTimeoutMs: 30_000, acquireTimeoutMs: 30_000 });
    const call = errorOf(database(pool).query("SELECT 1"));
    const asked = errorOf(pool.execute(probe()));
    await until("the call to be connecting", () => pool.stats().total === 1);
    expect(await took(() => pool.close())).toBeLessThan(4_000);
    expect(await call).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
    expect(await asked).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
    nothingLeft();
  });
});

describe("a server that hangs", () => {
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    await cluster.primary.query("CREATE TABLE ending (id int)");
  });

  afterAll(() => cluster.close());

  it("keeps no call longer than its deadline: connecting, running, in a transaction, in COMMIT, in ROLLBACK", async () => {
    const db = database(fromPg(source(8)));
    const timeoutMs = 400;
    const mine = new Error("mine");
    let stopped = (): void => undefined;
    const hung = new Promise<void>((resolve) => (stopped = resolve));
    let ready = 0;
    const inside = async (): Promise<void> => {
      ready += 1;
      await hung;
    };
    // Those that are to hang at a later point have begun before.
    const later = { timeoutMs: 20_000 };
    const begun = [
      errorOf(
        db.transaction(async (tx) => {
          await inside();
          await tx.query("SELECT 1");
        }, later),
      ),
      errorOf(db.transaction(inside, later)),
      errorOf(
        db.transaction(async () => {
          await inside();
          throw mine;
        }, later),
      ),
    ];
    await until("three transactions to have begun", () => ready === 3);
    cluster.primary.hang();
    stopped();
    const began = performance.now();
    const errors = await Promise.all([
      errorOf(db.query("SELECT 1", { timeoutMs })),
      errorOf(db.query("INSERT INTO ending VALUES (1)", { timeoutMs })),
      errorOf(db.connect({ timeoutMs })),
      errorOf(db.transaction((tx) => tx.query("SELECT 1"), { timeoutMs })),
    ]);
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(errors.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => "ERR_BREAKWATER_TIMEOUT"));
    db.pool.interrupt(new Error("the node does not answer"));
    const [statement, commit, rollback] = await Promise.all(begun);
    expect(statement).toMatchObject({ code: "ERR_BREAKWATER_NODE_LOST" });
    expect(commit).toMatchObject({ code: "ERR_BREAKWATER_OUTCOME_UNKNOWN" });
    expect(rollback).toBe(mine);
    await db.close({ drainMs: 0 });
    cluster.primary.resume();
  });

  it("that answers again finds the stack in order", async () => {
    const db = database(fromPg(source(2)));
    await db.query("SELECT 1");
    cluster.primary.hang();
    await errorOf(db.query("SELECT 1", { timeoutMs: 200 }));
    cluster.primary.resume();
    expect((await db.query("SELECT 2 AS b", { timeoutMs: 10_000 })).rows).toEqual([{ b: 2 }]);
    // The connection that was given up counts until it is gone: it is cancelled first, which takes the server's word.
    await expect.poll(() => db.stats()).toMatchObject({ active: 0, waiting: 0 });
    await db.close();
  });
});
