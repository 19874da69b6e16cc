import { setImmediate as turn } from "node:timers/promises";
import { type Cluster, startCluster } from "@breakwater/chaos";
import {
  compose,
  database,
  type Database,
  type EventMap,
  monitor,
  type Policy,
  type PoolDelta,
} from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { autosize, leakWatch, type LeakWatchOptions } from "@breakwater/policies";
import { breakwater } from "breakwater";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";

let cluster: Cluster;
const opened = new Set<Database>();
const source = (max = 4): Record<string, unknown> => ({
  host: "127.0.0.1",
  port: cluster.primary.directPort,
  user: "postgres",
  database: "postgres",
  application_name: "metrics",
  max,
});

function stack(max: number, ...policies: Policy[]): Database {
  const db = database(compose(...policies)(fromPg(source(max), { name: "db" })));
  opened.add(db);
  return db;
}

const connections = async (): Promise<number> => {
  const rows = await cluster.primary.query(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'metrics'",
  );
  return Number(rows[0]?.["n"]);
};

beforeAll(async () => {
  cluster = await startCluster({ replicas: 0 });
  await cluster.primary.query("CREATE TABLE metrics (id int PRIMARY KEY)");
});

afterEach(async () => {
  await Promise.all([...opened].map((db) => db.close({ drainMs: 0 })));
  opened.clear();
});

afterAll(() => cluster.close());

describe("stats()", () => {
  it("has every call in its histograms, and every error by what it is", async () => {
    const db = stack(4);
    const calls = [
      ...Array.from({ length: 40 }, () => db.query("SELECT 1")),
      ...Array.from({ length: 5 }, () => db.query("SELECT pg_sleep(0.05)")),
      ...Array.from({ length: 3 }, () => db.query("SELECT 1 / 0")),
      ...Array.from({ length: 2 }, () => db.query("SELECT no_such_column")),
      // Two statements fail, one of which its caller forgives.
      db.transaction(async (tx) => {
        await tx.query("INSERT INTO metrics VALUES (1)");
        await tx.transaction((inner) => inner.query("INSERT INTO metrics VALUES (1)")).catch(() => undefined);
        await tx.query("SELECT 1 / 0");
      }),
    ];
    await Promise.allSettled(calls);
    await errorOf(db.query("SELECT pg_sleep(30)", { timeoutMs: 100 }));
    const held = await db.connect();
    held.release();
    const all = calls.length + 2;
    await until("the call to be over", () => db.stats().active === 0);
    const { metrics, ...stats } = db.stats();
    expect(stats).toMatchObject({ active: 0, waiting: 0, connecting: 0 });
    expect(metrics).toMatchObject({ calls: all, failed: 7, openTransactions: 0 });
    expect(metrics.errors).toEqual({ connection: 0, timeout: 1, sql: { "22": 4, "42": 2, "23": 1 } });
    expect([metrics.acquire.count, metrics.execution.count]).toEqual([all, all]);
    expect(metrics.execution.max).toBeGreaterThanOrEqual(50);
    expect(metrics.execution.percentile(10)).toBeLessThan(50);
    // Ten times as many calls as connections: most had to wait.
    expect(metrics.acquire.max).toBeGreaterThan(metrics.acquire.min);
    expect(metrics.connections.opened - metrics.connections.closed).toBe(stats.total);
    expect(metrics.connections.failed).toBe(0);
  });

  it("counts connections that cannot be opened, and the calls that end so", async () => {
    const nobody = { ...source(), user: "nobody_has_this_name" };
    const db = database(fromPg(nobody, { name: "db" }));
    opened.add(db);
    await Promise.allSettled([db.query("SELECT 1"), db.query("SELECT 1")]);
    const { metrics } = db.stats();
    expect(metrics).toMatchObject({ calls: 2, failed: 2, errors: { connection: 2, timeout: 0, sql: {} } });
    expect(metrics.connections).toMatchObject({ opened: 0 });
    expect(metrics.connections.failed).toBeGreaterThan(0);
    expect([metrics.acquire.count, metrics.execution.count]).toEqual([2, 0]);
  });

  it("counts the connections of a pg.Pool that was given", async () => {
    const db = database(fromPg(new pg.Pool({ ...source(2), maxUses: 1 }), { name: "db" }));
    opened.add(db);
    const calls = Promise.all(Array.from({ length: 5 }, () => db.query("SELECT 1")));
    await until("one to be connecting", () => db.stats().connecting > 0);
    await calls;
    await until("all to be gone", () => db.stats().metrics.connections.closed === 5);
    expect(db.stats()).toMatchObject({ total: 0, connecting: 0, metrics: { connections: { opened: 5, failed: 0 } } });
    const nobody = database(fromPg(new pg.Pool({ ...source(2), user: "nobody_has_this_name" }), { name: "db" }));
    opened.add(nobody);
    await errorOf(nobody.query("SELECT 1"));
    expect(nobody.stats().metrics).toMatchObject({ connections: { opened: 0, failed: 1 }, errors: { connection: 1 } });
  });

  it("is the same per node and in sum, and survives JSON", async () => {
    const db = breakwater({ primary: source() });
    opened.add(db);
    await Promise.all(Array.from({ length: 30 }, () => db.query("SELECT 1")));
    await errorOf(db.query("SELECT 1 / 0"));
    const stats = db.stats();
    const [node] = stats.nodes;
    expect(stats.metrics.errors).toEqual({ connection: 0, timeout: 0, sql: { "22": 1 } });
    expect(node?.pool.metrics.execution.count).toBe(stats.metrics.execution.count);
    expect(stats.metrics.calls).toBeGreaterThanOrEqual(31);
    const read = JSON.parse(JSON.stringify(stats));
    expect(read.metrics).toEqual(JSON.parse(JSON.stringify(node?.pool.metrics)));
    expect(read.metrics.execution.p99).toBe(stats.metrics.execution.p99);
    expect(JSON.stringify(stats)).not.toContain("null,");
  });
});

describe("monitor()", () => {
  it("tells of a real load in every interval, and ends with the database", async () => {
    const db = stack(4);
    const deltas: PoolDelta[] = [];
    let enough = (): void => undefined;
    const reported = new Promise<void>((resolve) => (enough = resolve));
    monitor(db, {
      intervalMs: 50,
      report: (_snapshot, delta) => {
        deltas.push(delta);
        if (deltas.length >= 4 && deltas.some(({ calls }) => calls > 0)) enough();
      },
    });
    let sent = 0;
    const over = new AbortController();
    const load = async (): Promise<void> => {
      while (!over.signal.aborted) {
        sent += 1;
        await db.query("SELECT 1");
      }
    };
    const loads = Promise.allSettled([load(), load()]);
    await reported;
    over.abort();
    await loads;
    const told = deltas.reduce((sum, { calls }) => sum + calls, 0);
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(sent);
    for (const { calls, execution, callsPerSecond, elapsedMs } of deltas) {
      expect(execution.count).toBe(calls);
      expect(callsPerSecond).toBeCloseTo((calls * 1_000) / elapsedMs, 6);
    }
    await db.close();
    expect(db.pool.events.size).toBe(0);
  });
});

describe("monitor() of the preset", () => {
  it("tells of each node, goes on when one leaves, and ends with the database", async () => {
    const db = breakwater({ primary: source(), replicas: [{ source: source(), name: "second" }] });
    opened.add(db);
    const before = db.pool.events.size;
    const deltas: PoolDelta[] = [];
    monitor(db, { intervalMs: 20, report: (_snapshot, delta) => deltas.push(delta) });
    await Promise.all(Array.from({ length: 10 }, () => db.query("SELECT 1", { access: "write" })));
    await until("the calls to be reported", () => deltas.reduce((sum, { calls }) => sum + calls, 0) >= 10);
    expect(deltas[0]?.nodes.map(({ name }) => name)).toContain("second");
    await db.topology.remove("second");
    const { length } = deltas;
    await until("two more reports", () => deltas.length > length + 1);
    expect(deltas.at(-1)?.nodes).toHaveLength(1);
    await db.close();
    expect(db.pool.events.size).toBe(before);
  });
});

describe("leakWatch", () => {
  const watched = (max: number, options: LeakWatchOptions) => {
    const db = stack(max, leakWatch(options));
    const suspected: EventMap["leak-watch:suspected"][] = [];
    const returned: EventMap["leak-watch:returned"][] = [];
    db.on("leak-watch:suspected", (event) => suspected.push(event));
    db.on("leak-watch:returned", (event) => returned.push(event));
    return { db, suspected, returned };
  };

  it("names the function that borrowed a connection and kept it", async () => {
    const { db, suspected, returned } = watched(2, { maxHeldMs: 50 });
    const borrowAndForget = async () => {
      // As real callers do, after something else that took its time.
      await db.query("SELECT 1");
      return db.connect({ label: "nightly report" });
    };
    const held = await borrowAndForget();
    await until("the suspicion", () => suspected.length === 1);
    expect(suspected[0]).toMatchObject({ pool: "db", label: "nightly report", kind: "session" });
    expect(suspected[0]?.stack).toContain("metrics.test.ts");
    expect(suspected[0]?.stack?.split("\n")[0]).toContain("borrowAndForget");
    expect(returned).toEqual([]);
    held.release();
    await until("the return", () => returned.length === 1);
    expect(returned[0]?.heldMs).toBeGreaterThanOrEqual(suspected[0]?.heldMs ?? Number.NaN);
    expect(returned[0]).toMatchObject({ label: "nightly report", forced: false });
  });

  it("names whoever reads a stream and does not come to its end", async () => {
    const { db, suspected, returned } = watched(2, { maxHeldMs: 50 });
    const readSlowly = async () => {
      for await (const row of db.stream("SELECT generate_series(1, 5000) AS n", [], { label: "export" })) {
        await until("the suspicion", () => suspected.length === 1);
        if (row !== undefined) break;
      }
    };
    await readSlowly();
    expect(suspected[0]).toMatchObject({ label: "export" });
    expect(suspected[0]?.stack?.split("\n")[0]).toContain("readSlowly");
    await until("the return", () => returned.length === 1);
  });

  it("names whoever reads a COPY, and a caller whose class is called a database, too", async () => {
    const { db, suspected } = watched(2, { maxHeldMs: 50 });
    const copySlowly = async () => {
      for await (const piece of db.copyTo("COPY (SELECT generate_series(1, 200000)) TO STDOUT")) {
        await until("the suspicion", () => suspected.length === 1);
        if (piece !== undefined) break;
      }
    };
    await copySlowly();
    class ShopDatabase {
      borrow() {
        return db.connect();
      }
    }
    const held = await new ShopDatabase().borrow();
    await until("the suspicion", () => suspected.length === 2);
    held.release();
    const [copying, borrowing] = suspected.map((event) => event.stack?.split("\n")[0]);
    expect(copying).toContain("copySlowly");
    expect(borrowing).toContain("ShopDatabase.borrow");
  });

  it("takes a connection back for others; its holder gets a typed error, and the server an end to it", async () => {
    const { db, returned } = watched(1, { maxHeldMs: 50, forceReturnAfterMs: 1_500 });
    const held = await db.connect();
    await held.query("BEGIN");
    await held.query("INSERT INTO metrics VALUES (100)");
    const {
      rows: [mine],
    } = await held.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    // Waits for the only connection.
    const { rows } = await db.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    expect(rows[0]?.pid).not.toBe(mine?.pid);
    expect(returned).toMatchObject([{ forced: true }]);
    expect(await errorOf(held.query("COMMIT"))).toMatchObject({ code: "ERR_BREAKWATER_HELD_TOO_LONG", pool: "db" });
    held.release();
    // The driver's own client is no way round it.
    const client = held.driver as { query(text: string): Promise<unknown> };
    await expect(client.query("SELECT 1")).rejects.toThrow(/./);
    expect((await db.query("SELECT FROM metrics WHERE id = 100")).rowCount).toBe(0);
    await until("its backend to be gone", async () => {
      const left = await cluster.primary.query("SELECT FROM pg_stat_activity WHERE pid = $1", [mine?.pid]);
      return left.length === 0;
    });
  });

  it("stops what a holder is running when it takes the connection back", async () => {
    const { db } = watched(1, { maxHeldMs: 50, forceReturnAfterMs: 150 });
    const held = await db.connect();
    const error = await errorOf(held.query("SELECT pg_sleep(60)"));
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_HELD_TOO_LONG" });
    await until("the statement to be stopped", async () => {
      const left = await cluster.primary.query(
        "SELECT FROM pg_stat_activity WHERE application_name = 'metrics' AND query LIKE '%pg_sleep(60)%'",
      );
      return left.length === 0;
    });
    const whole = await errorOf(db.transaction((tx) => tx.query("SELECT pg_sleep(60)")));
    expect(whole).toMatchObject({ code: "ERR_BREAKWATER_HELD_TOO_LONG" });
    expect((await db.query("SELECT 1")).rowCount).toBe(1);
  });

  it("leaves open transactions to be rolled back, counts and tells of them", async () => {
    const { db } = watched(1, {});
    const told: EventMap["connection:open-transaction"][] = [];
    db.on("connection:open-transaction", (event) => told.push(event));
    const held = await db.connect();
    await held.query("BEGIN");
    await held.query("INSERT INTO metrics VALUES (200)");
    held.release();
    expect((await db.query("SELECT FROM metrics WHERE id = 200")).rowCount).toBe(0);
    expect(told).toEqual([{ pool: "db" }]);
    const stats = db.stats();
    expect(stats.metrics.openTransactions).toBe(1);
    expect(stats.policies[0]).toMatchObject({ policy: "leak-watch", openTransactions: 1, suspected: 0 });
  });
});

describe("autosize", () => {
  it("grows under a burst, so that all are served sooner, and shrinks again, at the server too", async () => {
    const size = autosize({ min: 2, max: 8, intervalMs: 10, growAfterMs: 40, cooldownMs: 40, shrinkAfterMs: 200 });
    const db = stack(2, size);
    const resized: EventMap["autosize:resized"][] = [];
    db.on("autosize:resized", (event) => resized.push(event));
    const over = new AbortController();
    const work = async (): Promise<void> => {
      while (!over.signal.aborted) await db.query("SELECT pg_sleep(0.02)");
    };
    const burst = Promise.allSettled(Array.from({ length: 24 }, work));
    await until("the pool to have grown", () => db.stats().max === 8 && db.stats().active === 8);
    await until("all connections to be open", async () => (await connections()) === 8);
    over.abort();
    await burst;
    await until("the pool to have shrunk", () => db.stats().max === 2);
    await until("the connections to be gone", async () => (await connections()) === 2);
    const ups = resized.filter(({ why }) => why === "waiting");
    const downs = resized.filter(({ why }) => why === "idle");
    expect([ups.at(-1)?.to, downs.at(-1)?.to, ups.length + downs.length]).toEqual([8, 2, resized.length]);
    expect(resized.length).toBeLessThanOrEqual(8);
    expect((await db.query("SELECT 1")).rowCount).toBe(1);
  });

  it("does not go above what the server allows", async () => {
    await cluster.primary.query("CREATE ROLE few LOGIN CONNECTION LIMIT 3");
    const refused = autosize({ max: 10, intervalMs: 10, growAfterMs: 30, cooldownMs: 30 });
    // Of two that come at once, the server may refuse both, though there is room for one: here there is room for none.
    const db = database(refused(fromPg({ ...source(3), user: "few" }, { name: "db" })));
    opened.add(db);
    const resized: EventMap["autosize:resized"][] = [];
    db.on("autosize:resized", (event) => resized.push(event));
    const over = new AbortController();
    const work = async (): Promise<void> => {
      while (!over.signal.aborted) await db.query("SELECT pg_sleep(0.01)").catch(() => turn());
    };
    const burst = Promise.allSettled(Array.from({ length: 12 }, work));
    await until("the refusal to be seen", () => resized.some(({ why }) => why === "refused"));
    await until("the pool to be full again", () => db.stats().active === 3);
    expect(db.stats().max).toBe(3);
    expect((await Promise.all(Array.from({ length: 20 }, () => db.query("SELECT 1")))).length).toBe(20);
    expect(db.stats().max).toBe(3);
    over.abort();
    await burst;
  });
});
