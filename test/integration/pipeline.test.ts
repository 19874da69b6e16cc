/**
 * Reads that share connections: none suffers from another.
 */
import { type Cluster, startCluster } from "@breakwater/chaos";
import { type Database, database } from "@breakwater/core";
import { fromPg, type FromPgOptions } from "@breakwater/pg";
import { breakwater } from "breakwater";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { warm } from "../support/database.ts";
import { until } from "../support/wait.ts";

const POINT = "SELECT name FROM things WHERE id = $1";

describe("reads that share connections", () => {
  let cluster: Cluster;
  const opened: Database[] = [];

  const config = (max: number) => ({ connectionString: cluster.primary.connectionString, max });
  const open = (options: FromPgOptions = {}, max = 10): Database => keep(database(fromPg(config(max), options)));
  const keep = <Kept extends Database>(db: Kept): Kept => {
    opened.push(db);
    return db;
  };
  /** A text shares connections once it has been seen to be quick; an answer that a busy machine delays counts against it. */
  const prove = async (db: Database, text: string, values: unknown[]): Promise<void> => {
    for (let use = 1; use <= 20; use += 1) await db.query(text, values);
  };
  const several = async <T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => one(index)));

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    await cluster.primary.query(`
      CREATE TABLE things (id int PRIMARY KEY, name text);
      INSERT INTO things SELECT i, 'thing ' || i FROM generate_series(1, 1000) AS i`);
  });

  afterEach(() => Promise.all(opened.splice(0).map((db) => db.close({ drainMs: 0 }))));
  afterAll(() => cluster.close());

  it("have each their own answer", async () => {
    const db = open();
    await prove(db, POINT, [1]);
    const results = await several(500, (index) => db.query(POINT, [index + 1]));
    expect(results.map(({ rows }) => rows)).toEqual(
      Array.from({ length: 500 }, (_, index) => [{ name: `thing ${index + 1}` }]),
    );
    // A second connection may still be on its way.
    await until("all to be back", () => db.stats().active === 0 && db.stats().waiting === 0);
  });

  it("are under way together on a few connections; without pipelining on as many as there may be", async () => {
    const active = async (db: Database): Promise<number> => {
      for (let use = 1; use <= 5; use += 1) await db.query(POINT, [1]);
      const running = several(100, (index) => db.query(POINT, [index + 1]));
      const { active: now } = db.stats();
      await running;
      return now;
    };
    // The longer the way, the longer an answer may take and yet be quick: a busy machine does not make this one slow.
    const { proxy } = cluster.primary;
    proxy.setLatency(50);
    onTestFinished(() => proxy.setLatency(0));
    for (const [options, connections] of [
      [{}, 4],
      [{ pipeline: { connections: 1, depth: 100 } }, 1],
    ] as const) {
      const db = open(options);
      await warm(db, 10);
      await until("them to share", async () => (await active(db)) === connections);
    }
    const alone = open({ pipeline: false });
    await warm(alone, 10);
    expect(await active(alone)).toBe(10);
  });

  it("fail each on its own", async () => {
    const db = open();
    const text = "SELECT 10 / $1::int AS part";
    await prove(db, text, [1]);
    const outcomes = await Promise.allSettled(Array.from({ length: 60 }, (_, index) => db.query(text, [index % 3])));
    expect(outcomes.map(({ status }) => status)).toEqual(
      Array.from({ length: 60 }, (_, index) => (index % 3 === 0 ? "rejected" : "fulfilled")),
    );
    // A second connection may still be on its way.
    await until("all to be back", () => db.stats().active === 0);
    expect(db.stats().metrics.connections.closed).toBe(0);
  });

  it("are not held up by one that turns out to be slow, which has a connection to itself from then on", async () => {
    const db = open();
    const text = "SELECT id, pg_sleep($1) FROM things WHERE id = $2";
    await prove(db, text, [0, 1]);
    await warm(db, 10);
    const abort = new AbortController();
    let over = false;
    const slow = db.query(text, [60, 1], { signal: abort.signal }).catch(() => (over = true));
    await several(60, (index) => db.query(text, [0, index + 1]));
    expect(over).toBe(false);
    abort.abort();
    await slow;
  });

  it("lets a caller leave at once, and disturbs no other by it", async () => {
    const db = open();
    const text = "SELECT id, pg_sleep($1) FROM things WHERE id = $2";
    await prove(db, text, [0, 1]);
    const abort = new AbortController();
    const left = db.query(text, [30, 1], { signal: abort.signal });
    const others = several(20, (index) => db.query(text, [0, index + 1]));
    await pause(5);
    abort.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    expect((await others).map(({ rows }) => rows.length)).toEqual(Array.from({ length: 20 }, () => 1));
    // What nobody waits for any more is stopped at the server.
    await until("the abandoned statement to be gone", async () => {
      const rows = await cluster.primary.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
      return rows.length === 0;
    });
    await until("its connection to be given up", () => db.stats().active === 0);
  });

  it("ends one whose time is over, and only that one", async () => {
    const db = open();
    const text = "SELECT id, pg_sleep($1) FROM things WHERE id = $2";
    await prove(db, text, [0, 1]);
    const late = db.query(text, [30, 1], { timeoutMs: 60 });
    const others = several(20, (index) => db.query(text, [0, index + 1]));
    await expect(late).rejects.toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
    await others;
    await until("the abandoned statement to be gone", async () => {
      const rows = await cluster.primary.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
      return rows.length === 0;
    });
    await until("its connection to be given up", () => db.stats().active === 0);
  });

  it("fails nobody, in the recommended stack, when connections are ended again and again", async () => {
    const db = keep(breakwater({ primary: config(10) }));
    await prove(db, POINT, [1]);
    const load = { over: false };
    let answers = 0;
    const callers = several(16, async (caller) => {
      for (let id = caller + 1; !load.over; id = (id % 1_000) + 1) {
        const { rows } = await db.query(POINT, [id]);
        expect(rows).toEqual([{ name: `thing ${id}` }]);
        answers += 1;
      }
    });
    for (let round = 0; round < 10; round += 1) {
      await pause(30);
      await cluster.primary.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      );
    }
    load.over = true;
    await callers;
    expect(answers).toBeGreaterThan(100);
  });

  it("fails only the one that runs when its connection dies, without any retry", async () => {
    const db = open();
    const text = "SELECT id, pg_sleep($1) FROM things WHERE id = $2";
    await prove(db, text, [0, 1]);
    const first = db.query(text, [30, 1]);
    first.catch(() => undefined);
    const others = several(5, (index) => db.query(text, [0, index + 1]));
    await until("it to run", async () => {
      const rows = await cluster.primary.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
      );
      return rows.length > 0;
    });
    await expect(first).rejects.toMatchObject({ code: "57P01" });
    expect(await others).toHaveLength(5);
  });

  it("leaves connections to those who need one to themselves", async () => {
    const db = open({}, 1);
    await prove(db, POINT, [1]);
    const load = { over: false };
    const readers = several(16, async () => {
      while (!load.over) await db.query(POINT, [1]);
    });
    for (let round = 0; round < 5; round += 1) {
      await db.transaction((transaction) => transaction.query("UPDATE things SET name = name WHERE id = 2"));
    }
    load.over = true;
    await readers;
    expect(db.stats()).toMatchObject({ total: 1, active: 0, waiting: 0 });
  });

  it("wait where every connection is taken, as long as their limits allow", async () => {
    const db = open({ acquireTimeoutMs: 1_000 }, 1);
    await prove(db, POINT, [1]);
    const held = await db.connect();
    const abort = new AbortController();
    const outcomes = Promise.allSettled([
      db.query(POINT, [1], { timeoutMs: 50 }),
      db.query(POINT, [2], { signal: abort.signal }),
      db.query(POINT, [3]),
    ]);
    expect(db.stats()).toMatchObject({ active: 1, waiting: 3 });
    abort.abort(new Error("left"));
    expect(await outcomes).toMatchObject([
      { status: "rejected", reason: { code: "ERR_BREAKWATER_TIMEOUT" } },
      { status: "rejected", reason: { message: "left" } },
      { status: "rejected", reason: { code: "ERR_BREAKWATER_TIMEOUT" } },
    ]);
    const served = several(10, (index) => db.query(POINT, [index + 1]));
    held.release();
    expect(await served).toHaveLength(10);
    expect(db.stats()).toMatchObject({ active: 0, waiting: 0 });
  });

  it("are refused beyond `maxQueued`", async () => {
    const db = open({ maxQueued: 2 }, 1);
    await prove(db, POINT, [1]);
    const held = await db.connect();
    const calls = Promise.allSettled(Array.from({ length: 4 }, (_, index) => db.query(POINT, [index + 1])));
    held.release();
    expect((await calls).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
  });

  it("end with the pool: those that run are waited for, then cut off", async () => {
    const db = open();
    await prove(db, POINT, [1]);
    const running = several(20, (index) => db.query(POINT, [index + 1]));
    await db.close();
    expect(await running).toHaveLength(20);
    await expect(db.query(POINT, [1])).rejects.toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });

    const other = open();
    const text = "SELECT id, pg_sleep($1) FROM things WHERE id = $2";
    await prove(other, text, [0, 1]);
    const cut = Promise.allSettled([other.query(text, [30, 1]), other.query(text, [30, 2])]);
    await other.close({ drainMs: 20 });
    for (const outcome of await cut)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "ERR_BREAKWATER_POOL_CLOSED" } });
  });

  it("never include what may write", async () => {
    const db = open({ pipeline: { connections: 1 } });
    const text = "INSERT INTO things VALUES ($1, 'new') RETURNING pg_backend_pid() AS pid";
    await warm(db, 10);
    for (let id = 2_000; id < 2_005; id += 1) await db.query(text, [id]);
    // Each waits for the lock that this one holds; on a shared connection they would wait for each other.
    const holder = await db.connect();
    await holder.query("BEGIN");
    await holder.query("LOCK TABLE things IN SHARE MODE");
    const writes = several(5, (index) => db.query(text, [3_000 + index]));
    await until("all to wait", async () => {
      const rows = await cluster.primary.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
      return rows.length === 5;
    });
    await holder.query("COMMIT");
    holder.release();
    expect(new Set((await writes).map(({ rows: [row] }) => row?.["pid"])).size).toBe(5);
  });
});
