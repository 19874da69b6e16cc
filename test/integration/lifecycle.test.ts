import { spawn } from "node:child_process";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { compose, database, type Database, OptionError, type Transaction } from "@breakwater/core";
import { asPgPool, fromPg, type FromPgOptions } from "@breakwater/pg";
import { commitResolution, retry } from "@breakwater/policies";
import { breakwater } from "breakwater";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";

// How connections live: every option of it, on a real server.

let cluster: Cluster;
const APPLICATION = "lifecycle";
const opened = new Set<Database>();

const config = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  host: "127.0.0.1",
  port: cluster.primary.directPort,
  user: "postgres",
  database: "postgres",
  password: "first",
  application_name: APPLICATION,
  ...more,
});
const make = (options: FromPgOptions = {}, more: Record<string, unknown> = {}): Database => {
  const db = database(fromPg(config(more), options));
  opened.add(db);
  return db;
};
const admin = (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  cluster.primary.query(text, values);
const pids = async (): Promise<number[]> => {
  const rows = await admin("SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY pid", [APPLICATION]);
  return rows.map(({ pid }) => pid as number);
};
const connections = async (): Promise<number> => (await pids()).length;
const pidOf = async (db: Pick<Database, "query">): Promise<number> =>
  (await db.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]!.pid;
const busy = async (db: Database, count: number): Promise<void> => {
  const held = await Promise.all(Array.from({ length: count }, () => db.connect()));
  for (const connection of held) connection.release();
};

beforeAll(async () => {
  cluster = await startCluster({ replicas: 0, password: "first" });
  await admin("CREATE TABLE lifecycle (id int)");
});

afterAll(() => cluster.close());

afterEach(async () => {
  await Promise.all([...opened].map((db) => db.close({ drainMs: 0 })));
  opened.clear();
  await until("no connection to be left", async () => (await connections()) === 0);
});

describe("min", () => {
  it("is opened by ready(), kept while all is idle, and not more than that", async () => {
    const db = make({ min: 3, max: 6, idleTimeoutMs: 100 });
    expect(await connections()).toBe(0);
    await db.ready();
    expect(db.stats()).toMatchObject({ total: 3, idle: 3, connecting: 0 });
    await busy(db, 6);
    expect(db.stats().total).toBe(6);
    await until("the surplus to go", async () => db.stats().total === 3 && (await connections()) === 3);
  });

  it("is opened at once with an eager start, and with the first call otherwise", async () => {
    const lazy = make({ min: 2 });
    const eager = make({ min: 2, start: "eager" });
    await until("the eager one to be warm", () => eager.stats().idle === 2);
    expect(lazy.stats().total).toBe(0);
    await lazy.query("SELECT 1");
    await until("the lazy one to be warm", () => lazy.stats().idle === 2);
  });

  it("is there again after connections were lost, without a call", async () => {
    const db = make({ min: 3 });
    await db.ready();
    const before = await pids();
    await admin("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1", [
      APPLICATION,
    ]);
    await until("others to be there", async () => {
      const now = await pids();
      return now.length === 3 && !now.some((pid) => before.includes(pid));
    });
    await until("the pool to know", () => db.stats().idle === 3);
    expect(db.stats().metrics.connections.opened).toBe(6);
  });

  it("is there again after a restart under load, and the server is not met by a storm", async () => {
    const pool = fromPg(config(), { min: 4, max: 8 });
    const db = database(compose(retry({ maxRetries: 100, initialDelayMs: 20, maxDelayMs: 200 }))(pool));
    opened.add(db);
    await db.ready();
    const failed: unknown[] = [];
    db.on("connection:failed", ({ error }) => failed.push(error));
    const load = { stopped: false };
    let good = 0;
    const callers = Array.from({ length: 8 }, async () => {
      while (!load.stopped) {
        await db.query("SELECT 1", { access: "read", timeoutMs: 20_000 });
        good += 1;
      }
    });
    await until("some to be served", () => good > 100);
    await cluster.primary.restart();
    const before = good;
    await until("more to be served", () => good > before + 100);
    load.stopped = true;
    await Promise.all(callers);
    await until("min to be there", () => db.stats().idle >= 4);
    expect(db.stats()).toMatchObject({ active: 0, waiting: 0, connecting: 0 });
    expect(failed.length).toBeLessThan(1_000);
  });

  it("is tried again with pauses while there is no server, and is there soon after it", async () => {
    const db = make({ min: 2 });
    await db.ready();
    const failed: number[] = [];
    db.on("connection:failed", () => failed.push(performance.now()));
    await cluster.primary.stop("immediate");
    await until("six attempts", () => failed.length >= 6);
    const pauses = failed.slice(1).map((at, index) => at - failed[index]!);
    expect(Math.min(...pauses)).toBeGreaterThan(40);
    expect(pauses.at(-1)).toBeGreaterThan(pauses[0]! * 2);
    await cluster.primary.start();
    await until("min to be there", () => db.stats().idle === 2);
  });
});

describe("ready()", () => {
  it("rejects with the server's word, the driver's, or a limit in time", async () => {
    const refused = await errorOf(make({}, { port: 1 }).ready());
    expect(refused).toMatchObject({ code: "ECONNREFUSED" });
    expect(await errorOf(make({ min: 2 }, { database: "none" }).ready())).toMatchObject({ code: "3D000" });
    cluster.primary.hang();
    const late = await errorOf(make({ min: 1, acquireTimeoutMs: 200 }).ready());
    cluster.primary.resume();
    expect(late).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT", phase: "connect" });
    const closed = make();
    await closed.close();
    expect(await errorOf(closed.ready())).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
  });

  it("goes through the recommended stack to each node, and so does a new size", async () => {
    const db = breakwater({ primary: config(), pool: { min: 2, max: 3 } });
    opened.add(db);
    await db.ready();
    expect(db.stats().total).toBe(2);
    db.resize({ min: 3, max: 5 });
    await until("the third", () => db.stats().total === 3);
    expect(db.stats().max).toBe(5);
  });

  it("of a pool that somebody else made shows that it can be reached", async () => {
    const own = new pg.Pool(config());
    const db = database(fromPg(own));
    opened.add(db);
    await db.ready();
    expect(own.totalCount).toBe(1);
    expect(() => db.resize({ max: 3 })).toThrow(/size is decided by/);
  });
});

describe("the end of a connection", () => {
  it("comes after its idle timeout, its lifetime or its uses", async () => {
    const idle = make({ idleTimeoutMs: 60 });
    await busy(idle, 3);
    await until("idle ones to go", () => idle.stats().total === 0);
    const old = make({ maxLifetimeMs: 150, idleTimeoutMs: 0 });
    const first = await pidOf(old);
    await until("another to serve", async () => (await pidOf(old)) !== first);
    const used = make({ maxUses: 3, max: 1 });
    const served: number[] = [];
    for (let call = 0; call < 9; call += 1) served.push(await pidOf(used));
    expect(new Set(served).size).toBe(3);
    expect(served[0]).toBe(served[2]);
  });

  it("does not come to all at once when they were opened together", async () => {
    const db = make({ max: 10, maxLifetimeMs: 3_000, idleTimeoutMs: 0 });
    await busy(db, 10);
    const ends: number[] = [];
    db.on("pg:removed", () => ends.push(performance.now()));
    await until("all to have ended", () => ends.length === 10);
    expect(ends[9]! - ends[0]!).toBeGreaterThan(30);
  });

  it("comes to a connection that does not answer, before it is handed out or in the background", async () => {
    const asked = make({ max: 1, validateAfterIdleMs: 20, idleTimeoutMs: 0 });
    const held = await asked.connect();
    const client = held.driver as pg.Client;
    held.release();
    // It looks well, and says nothing.
    client.query = (() => undefined) as never;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect((await asked.query("SELECT 1 AS a", { timeoutMs: 5_000 })).rows).toEqual([{ a: 1 }]);
    const watched = make({ min: 2, validateIntervalMs: 30, idleTimeoutMs: 0 });
    await watched.ready();
    let questions = 0;
    const both = await Promise.all([watched.connect(), watched.connect()]);
    for (const connection of both) {
      const { driver } = connection as unknown as { driver: pg.Client };
      const query = driver.query.bind(driver) as (...given: unknown[]) => unknown;
      driver.query = ((...given: unknown[]) => {
        questions += 1;
        return query(...given);
      }) as never;
      connection.release();
    }
    await until("both to be asked again and again", () => questions >= 6);
    expect(watched.stats().total).toBe(2);
  });
});

describe("onConnect", () => {
  it("prepares each connection before its first call, and may take only so long", async () => {
    const db = make({
      max: 2,
      onConnect: async (connection) => {
        await connection.query("SELECT set_config('lifecycle.mark', $1, false)", ["set"]);
        await connection.query({ text: "CREATE TEMP TABLE mine (id int)" });
      },
    });
    const marks = await Promise.all(
      [1, 2].map(() =>
        db.query("SELECT current_setting('lifecycle.mark') AS mark FROM mine RIGHT JOIN (SELECT 1) AS one ON true"),
      ),
    );
    expect(marks.map(({ rows }) => rows)).toEqual([[{ mark: "set" }], [{ mark: "set" }]]);
    const slow = make({ connectTimeoutMs: 100, onConnect: () => new Promise(() => undefined) });
    expect(await errorOf(slow.query("SELECT 1"))).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT", phase: "connect" });
    const planted = new Error("planted");
    const failing = make({ onConnect: () => Promise.reject(planted) });
    expect(await errorOf(failing.query("SELECT 1"))).toBe(planted);
    const open = make({ onConnect: (connection) => connection.query("BEGIN") });
    expect(await errorOf(open.query("SELECT 1"))).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    expect([slow, failing, open].map((each) => each.stats().total)).toEqual([0, 0, 0]);
  });

  it("comes after what the configuration of pg asks for", async () => {
    const order: string[] = [];
    const db = make(
      { onConnect: () => void order.push("ours") },
      {
        onConnect: () => void order.push("pg's"),
        verify: (_client: unknown, done: () => void) => {
          order.push("verify");
          done();
        },
      },
    );
    db.on("pg:connected", () => order.push("event"));
    await db.query("SELECT 1");
    expect(order).toEqual(["pg's", "verify", "ours", "event"]);
  });
});

describe("a session reset", () => {
  const leave = async (db: Database): Promise<number> => {
    const held = await db.connect();
    await held.query("SET search_path = nowhere");
    await held.query("SET lifecycle.mark = 'left'");
    await held.query("LISTEN lifecycle");
    await held.query("CREATE TEMP TABLE IF NOT EXISTS left_behind (id int)");
    await held.query("SELECT pg_advisory_lock(42)");
    const pid = await pidOf(held);
    held.release();
    return pid;
  };
  const LEFT = `SELECT current_setting('search_path') AS path, coalesce(current_setting('lifecycle.mark', true), '') AS mark,
    to_regclass('pg_temp.left_behind') AS temp, (SELECT count(*)::int FROM pg_listening_channels()) AS listening,
    (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory') AS locks`;
  const CLEAN = { path: '"$user", public', mark: "", temp: null, listening: 0, locks: 0 };

  it("is not made unless asked for", async () => {
    const db = make({ max: 1 });
    await leave(db);
    expect((await db.query(LEFT)).rows[0]).toMatchObject({ path: "nowhere", mark: "left", listening: 1, locks: 1 });
  });

  it("takes away what a borrower left, on the same connection, and prepares it anew", async () => {
    const prepared: boolean[] = [];
    const db = make({
      max: 1,
      resetOnRelease: "discard-all",
      onConnect: async (connection, again) => {
        prepared.push(again);
        await connection.query("SET statement_timeout = 12345");
      },
    });
    const pid = await leave(db);
    expect((await db.query(LEFT)).rows[0]).toEqual(CLEAN);
    expect((await db.query("SHOW statement_timeout")).rows).toEqual([{ statement_timeout: "12345ms" }]);
    expect(await pidOf(db)).toBe(pid);
    expect(prepared.slice(0, 2)).toEqual([false, true]);
    const open = await db.connect();
    await open.query("BEGIN");
    await open.query("SET lifecycle.mark = 'open'");
    open.release();
    expect((await db.query(LEFT)).rows[0]).toEqual(CLEAN);
  });

  it("leaves named statements in order, over 50 of them, and after one by hand", async () => {
    const db = make({ max: 1, resetOnRelease: "discard-all" });
    const byHand = make({ max: 1 });
    for (let call = 0; call < 50; call += 1) {
      for (const each of [db, byHand]) {
        const statement = { name: `named ${call % 3}`, text: "SELECT $1::int AS n" };
        expect((await each.query(statement, [call])).rows).toEqual([{ n: call }]);
      }
      if (call % 4 === 0) await byHand.query("DISCARD ALL");
      if (call % 4 === 1) await byHand.query("DEALLOCATE ALL");
      if (call % 4 === 2) await byHand.query(`DEALLOCATE "named ${call % 3}"`);
    }
    expect(byHand.stats().metrics.connections.opened).toBe(1);
    expect(db.stats().metrics.connections.opened).toBe(1);
  });

  it("can be a function of one's own; a connection that it cannot reset is not used again", async () => {
    let fail = false;
    const db = make({
      max: 1,
      resetOnRelease: async (connection) => {
        if (fail) throw new Error("planted");
        await connection.query("RESET ALL");
      },
    });
    const pid = await leave(db);
    expect((await db.query(LEFT)).rows[0]).toMatchObject({ path: CLEAN.path, listening: 1, locks: 1 });
    expect(await pidOf(db)).toBe(pid);
    fail = true;
    await db.query("SELECT 1");
    fail = false;
    expect(await pidOf(db)).not.toBe(pid);
  });

  it("can be a function that uses the driver's own client", async () => {
    let resets = 0;
    const db = database(
      commitResolution()(
        fromPg(config(), {
          max: 1,
          resetOnRelease: async ({ driver }) => {
            await (driver as pg.Client).query("RESET ALL");
            resets += 1;
          },
        }),
      ),
    );
    opened.add(db);
    const pid = await pidOf(db);
    const tell = (transaction: Transaction): Promise<unknown> => transaction.query("SELECT 1");
    for (let time = 1; time <= 3; time += 1) {
      await db.query("SELECT 1");
      await db.transaction(tell);
      await db.session().transaction(tell);
    }
    expect(await pidOf(db)).toBe(pid);
    await until("each call's is over", () => resets === 11);
  });
});

describe("a password that is a function", () => {
  it("is asked anew for each connection, and may change", async () => {
    await admin("CREATE ROLE rotating LOGIN PASSWORD 'one'");
    let current = "one";
    let asked = 0;
    const password = async (): Promise<string> => {
      asked += 1;
      return Promise.resolve(current);
    };
    const db = make({ max: 2 }, { user: "rotating", password });
    await busy(db, 2);
    expect(asked).toBe(2);
    await admin("ALTER ROLE rotating PASSWORD 'two'");
    // Connections that are open stay good.
    await db.query("SELECT 1");
    await admin("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1", [
      APPLICATION,
    ]);
    await until("the pool to know", () => db.stats().total === 0);
    expect(await errorOf(db.query("SELECT 1"))).toMatchObject({ code: "28P01" });
    current = "two";
    await busy(db, 2);
    expect(asked).toBe(5);
    await db.close();
    await admin("DROP ROLE rotating");
  });
});

describe("resize()", () => {
  it("serves those who wait when it grows, and ends what is too many as it comes back", async () => {
    const db = make({ max: 1 });
    const first = await db.connect();
    const waiting = [db.connect(), db.connect(), db.connect()];
    expect(db.stats().waiting).toBe(3);
    db.resize({ max: 4 });
    const others = await Promise.all(waiting);
    expect(db.stats()).toMatchObject({ active: 4, total: 4, waiting: 0, max: 4 });
    const pid = await pidOf(first);
    db.resize({ max: 1 });
    expect(await pidOf(first)).toBe(pid);
    for (const connection of others) connection.release();
    await until("only one to be left", async () => (await connections()) === 1);
    first.release();
    await until("the first to be idle", () => db.stats().idle === 1);
    expect(db.stats()).toMatchObject({ total: 1, idle: 1, max: 1 });
    db.resize({ min: 1 });
    for (const wrong of [{ max: 0 }, { min: 2 }, { min: -1 }, { max: 1.5 }, { most: 3 }])
      expect(() => db.resize(wrong as never)).toThrow(OptionError);
  });

  it("can go up and down under load without a failed call", async () => {
    const db = make({ max: 2 });
    const load = { stopped: false };
    const callers = Array.from({ length: 12 }, async () => {
      while (!load.stopped) await db.query("SELECT 1");
    });
    for (let step = 0; step < 40; step += 1) {
      db.resize({ max: 1 + ((step * 7) % 9), min: step % 2 });
      await db.query("SELECT 1");
    }
    db.resize({ max: 3, min: 0 });
    load.stopped = true;
    await Promise.all(callers);
    await until("the surplus to be gone", async () => (await connections()) <= 3);
    expect(db.stats()).toMatchObject({ active: 0, waiting: 0, max: 3 });
  });
});

describe("maxQueued", () => {
  it("refuses who would have to wait behind so many, and nobody else", async () => {
    const db = make({ max: 1, maxQueued: 2 });
    const held = await db.connect();
    const waiting = [db.query("SELECT 1"), db.query("SELECT 1")];
    const refused = await errorOf(db.query("SELECT 1"));
    expect(refused).toMatchObject({ code: "ERR_BREAKWATER_POOL_FULL" });
    held.release();
    await Promise.all(waiting);
    await db.query("SELECT 1");
    const none = make({ max: 1, maxQueued: 0 });
    await none.query("SELECT 1");
    const other = await none.connect();
    expect(await errorOf(none.connect())).toMatchObject({ code: "ERR_BREAKWATER_POOL_FULL" });
    other.release();
  });

  const WAYS: readonly (readonly [string, FromPgOptions])[] = [
    ["that shares reads", {}],
    ["that does not", { pipeline: false }],
    ["that tidies connections up", { resetOnRelease: "discard-all" }],
  ];

  describe.each(WAYS)("0, of a pool %s, max 1", (_, options) => {
    /** What is done, and done with, before the next call. */
    const before: Readonly<Record<string, (db: Database) => Promise<unknown>>> = {
      "a read": (db) => db.query("SELECT 1"),
      "a write": (db) => db.query("INSERT INTO lifecycle VALUES ($1)", [1]),
      "a failure": (db) => errorOf(db.query("SELECT 1 / 0")),
      "a transaction": (db) => db.transaction((tx) => tx.query("SELECT 1")),
      "a failed transaction": (db) => errorOf(db.transaction((tx) => tx.query("SELECT 1 / 0"))),
      "a connection given back": async (db) => {
        const held = await db.connect();
        await held.query("SELECT 1");
        held.release();
        await db.query("SELECT 1");
      },
      "a transaction left open": async (db) => {
        const held = await db.connect();
        await held.query("BEGIN");
        held.release();
        await db.transaction((tx) => tx.query("SELECT 1"));
      },
      "a connection given up": async (db) => {
        const held = await db.connect();
        held.destroy();
        await db.query("INSERT INTO lifecycle VALUES (1)");
      },
      "a stream that was left": async (db) => {
        for await (const _row of db.stream("SELECT generate_series(1, 9)")) break;
      },
      "a client of a pg.Pool": async (db) => {
        const client = await asPgPool(db).connect();
        await client.query("SELECT 1");
        client.release();
        await db.query("SELECT 1");
      },
      "a lost connection": (db) => errorOf(db.query("SELECT pg_terminate_backend(pg_backend_pid())")),
      "a limit in time": (db) => errorOf(db.query("SELECT pg_sleep(9)", [], { timeoutMs: 10 })),
    };

    it.each(Object.entries(before))("refuses nobody after %s", async (what, run) => {
      const db = make({ max: 1, maxQueued: 0, ...options });
      const many = what === "a read" && options.resetOnRelease === undefined;
      const rounds = many ? 500 : /lost|limit|given up/.test(what) ? 3 : 15;
      for (let round = 0; round < rounds; round += 1) {
        await run(db);
        await db.query("SELECT 1");
      }
      expect(db.stats()).toMatchObject({ waiting: 0, max: 1 });
    });

    it("refuses whoever comes while somebody has the connection, and lets as many wait for one that ends as have had it", async () => {
      const db = make({ max: 1, maxQueued: 0, ...options });
      const held = await db.connect();
      for (const call of [
        () => db.query("SELECT 1"),
        () => db.connect(),
        () => db.transaction(() => Promise.resolve()),
      ])
        expect(await errorOf(call())).toMatchObject({ code: "ERR_BREAKWATER_POOL_FULL" });
      held.destroy();
      const next = db.transaction((tx) => tx.query("SELECT 1"));
      expect(await errorOf(db.transaction(() => Promise.resolve()))).toMatchObject({
        code: "ERR_BREAKWATER_POOL_FULL",
      });
      await next;
    });
  });

  it.each(WAYS)("0 refuses nobody whose connection may still be opened, in a pool %s", async (_, options) => {
    const db = make({ max: 5, maxQueued: 0, ...options });
    const texts = Array.from({ length: 5 }, (__, at) => `SELECT ${at}`);
    await Promise.all(texts.map((text) => db.query(text)));
    expect(db.stats()).toMatchObject({ waiting: 0 });
  });
});

describe("close()", () => {
  it("may come at any moment, twice: while opening, in onConnect, resetting, validating, draining", async () => {
    const slow = {
      onConnect: (connection: { query(text: string): Promise<unknown> }) => connection.query("SELECT pg_sleep(0.05)"),
    };
    const variants: FromPgOptions[] = [
      {},
      { min: 5, start: "eager" },
      { min: 3, ...slow },
      { resetOnRelease: "discard-all" },
      { validateAfterIdleMs: 1, validateIntervalMs: 1 },
      { maxUses: 1, min: 2 },
    ];
    for (const options of variants) {
      for (const afterMs of [0, 1, 5, 20, 60]) {
        const db = make({ max: 5, ...options });
        const calls = Array.from({ length: 20 }, () =>
          db.query("SELECT pg_sleep(0.01)").catch((error: unknown) => error),
        );
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        const drainMs = afterMs % 2 === 0 ? 0 : 1_000;
        await Promise.all([db.close({ drainMs }), db.close()]);
        for (const outcome of await Promise.all(calls)) {
          if (outcome instanceof Error)
            expect((outcome as Error & { code?: string }).code).toMatch(/POOL_CLOSED|OUTCOME_UNKNOWN/);
        }
        expect(db.stats()).toMatchObject({ total: 0, idle: 0, active: 0, waiting: 0, connecting: 0 });
      }
    }
    await until("no connection to be left", async () => (await connections()) === 0);
  });

  it("during a restart ends in bounded time, and leaves nothing", async () => {
    const db = make({ min: 3, max: 6 });
    await db.ready();
    const calls = Array.from({ length: 30 }, () => db.query("SELECT pg_sleep(0.02)").catch(() => undefined));
    const restarted = cluster.primary.restart();
    const began = performance.now();
    await db.close({ drainMs: 200 });
    expect(performance.now() - began).toBeLessThan(5_000);
    await Promise.all([...calls, restarted]);
    expect(db.stats()).toMatchObject({ total: 0, active: 0 });
  });
});

describe("allowExitOnIdle", () => {
  it.each([
    [true, "a process ends although connections are idle"],
    [false, "a process goes on while connections are idle"],
  ])("%s: %s", async (allowExitOnIdle) => {
    const program = `
      import { database } from "@breakwater/core";
      import { fromPg } from "@breakwater/pg";
      const options = { min: 2, idleTimeoutMs: 0, allowExitOnIdle: ${allowExitOnIdle} };
      const db = database(fromPg(${JSON.stringify(config())}, options));
      await db.ready();
      console.log((await db.query("SELECT pg_sleep(0.2), 7 AS n")).rows[0].n);
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const exited = new Promise<unknown>((resolve) => child.on("exit", (code) => resolve(code)));
    await until("its answer", () => output === "7\n");
    if (allowExitOnIdle) {
      expect(await exited).toBe(0);
      return;
    }
    const outcome = await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 500, "still there"))]);
    child.kill();
    await exited;
    expect(outcome).toBe("still there");
  });
});

describe("options", () => {
  it("are checked when the pool is made, and told by name", () => {
    const wrong: [FromPgOptions, string][] = [
      [{ max: 0 }, "max"],
      [{ min: -1 }, "min"],
      [{ min: 11 }, "min"],
      [{ min: 3, max: 2 }, "min"],
      [{ start: "now" as never }, "start"],
      [{ idleTimeoutMs: -1 }, "idleTimeoutMs"],
      [{ maxLifetimeMs: Number.NaN }, "maxLifetimeMs"],
      [{ maxUses: 1.5 }, "maxUses"],
      [{ validateAfterIdleMs: -1 }, "validateAfterIdleMs"],
      [{ validateIntervalMs: "1" as never }, "validateIntervalMs"],
      [{ connectTimeoutMs: 0 }, "connectTimeoutMs"],
      [{ maxQueued: -1 }, "maxQueued"],
      [{ onConnect: 5 as never }, "onConnect"],
      [{ resetOnRelease: "all" as never }, "resetOnRelease"],
      [{ allowExitOnIdle: "yes" as never }, "allowExitOnIdle"],
    ];
    for (const [options, option] of wrong) {
      const error = (() => {
        try {
          fromPg(config(), options);
        } catch (thrown) {
          return thrown;
        }
        return undefined;
      })();
      expect(error, option).toMatchObject({ code: "ERR_BREAKWATER_OPTION", option });
    }
  });

  it("of how connections live are not taken beside a pool that somebody else made", async () => {
    const own = new pg.Pool(config());
    const options: FromPgOptions[] = [{ max: 3 }, { min: 1 }, { idleTimeoutMs: 5 }, { resetOnRelease: "discard-all" }];
    for (const each of options) expect(() => fromPg(own, each)).toThrow(/whose owner says how its connections live/);
    await own.end();
  });

  it("are also taken in the words of pg.Pool", async () => {
    const db = make({}, { max: 3, maxUses: 2, idleTimeoutMillis: 40, maxLifetimeSeconds: 60, allowExitOnIdle: true });
    expect(db.stats().max).toBe(3);
    const served = [await pidOf(db), await pidOf(db), await pidOf(db)];
    expect(new Set(served).size).toBe(2);
    await until("the idle one to go", () => db.stats().total === 0);
    expect(make({ max: 5 }, { max: 3 }).stats().max).toBe(5);
    expect(() => make({}, { idleTimeoutMillis: -1 })).toThrow(/source.idleTimeoutMillis/);
    expect(() => make({}, { maxLifetimeSeconds: "x" })).toThrow(/source.maxLifetimeSeconds/);
  });
});
