/**
 * Reads that share connections on a real server: what must never share, and what one may do to the others.
 */
import { type Cluster, startCluster } from "@breakwater/chaos";
import { type Database, database } from "@breakwater/core";
import { fromPg, type FromPgOptions } from "@breakwater/pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { warm } from "../support/database.ts";
import { until } from "../support/wait.ts";

const POINT = "SELECT name FROM things WHERE id = $1";
const SLEEP = "SELECT id, pg_sleep($1) FROM things WHERE id = $2";

describe("reads that share connections", () => {
  let cluster: Cluster;
  const opened: Database[] = [];

  const open = (options: FromPgOptions = {}, config: object = {}): Database => {
    const { connectionString } = cluster.primary;
    const db = database(fromPg({ connectionString, max: 10, application_name: "hazards", ...config }, options));
    opened.push(db);
    return db;
  };
  /** A text shares connections once it has been seen to be quick; an answer that a busy machine delays counts against it. */
  const prove = async (db: Database, text: string, values: unknown[] = []): Promise<void> => {
    for (let use = 1; use <= 20; use += 1) await db.query(text, values);
  };
  const several = async <T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => one(index)));
  const points = async (db: Database, count = 60): Promise<void> => {
    const results = await several(count, (index) => db.query(POINT, [index + 1]));
    expect(results.map(({ rows }) => rows)).toEqual(
      Array.from({ length: count }, (_, index) => [{ name: `thing ${index + 1}` }]),
    );
  };
  const codes = (outcomes: readonly PromiseSettledResult<unknown>[]): unknown[] =>
    outcomes.map((outcome) => (outcome.status === "rejected" ? (outcome.reason as { code?: unknown }).code : "ok"));
  const rest = (db: Database): Promise<void> => until("all to be back", () => db.stats().active === 0);

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    await cluster.primary.query(`
      CREATE TABLE things (id int PRIMARY KEY, name text);
      INSERT INTO things SELECT i, 'thing ' || i FROM generate_series(1, 1000) AS i;
      CREATE TABLE locked (id int); CREATE SEQUENCE numbers; CREATE TABLE written (id int);
      CREATE FUNCTION remember(what text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('my.memory', what, false) $$;
      CREATE FUNCTION noisy(what int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'noise %', what; RETURN what; END $$;
      CREATE VIEW noise AS SELECT id, noisy(id) AS heard FROM things;
      CREATE VIEW counting AS SELECT id, nextval('numbers') AS number FROM things`);
  });

  afterEach(() => Promise.all(opened.splice(0).map((db) => db.close({ drainMs: 0 }))));
  afterAll(() => cluster.close());

  it.each([
    "SELECT set_config('my.setting', 'x', false)",
    "SELECT pg_advisory_lock(1), pg_advisory_unlock(1)",
    "SELECT pg_try_advisory_lock(2)",
    "SELECT pg_advisory_xact_lock(3)",
    "SELECT pg_advisory_unlock_all()",
    "SELECT nextval('numbers')",
    "SELECT setval('numbers', 1)",
    "SELECT setseed(0.5)",
    "SELECT pg_notify('channel', 'x')",
    "SELECT remember('x')",
    "SELECT lo_create(0)",
    "SELECT id FROM things WHERE id = 1 FOR UPDATE",
    "SELECT id FROM things WHERE id = 1 FOR KEY SHARE",
    "WITH new AS (INSERT INTO written VALUES (1) RETURNING id) SELECT id FROM new",
    "/* a comment */ SELECT set_config('my.setting', 'y', false)",
    "SELECT 1 AS a; SELECT set_config('my.setting', 'z', false)",
    "SET my.setting = 'x'",
    "LISTEN channel",
    "UNLISTEN *",
    "NOTIFY channel",
    "DO $$ BEGIN PERFORM set_config('my.setting', 'x', false); END $$",
    "DISCARD PLANS",
    "DEALLOCATE ALL",
    "EXPLAIN ANALYZE INSERT INTO written VALUES (1)",
    "LOCK TABLE things IN ACCESS SHARE MODE",
    "CALL nothing()",
  ])("never are: %s", async (text) => {
    const db = open({ pipeline: { connections: 1 } });
    await warm(db, 5);
    await prove(db, POINT, [1]);
    for (let use = 1; use <= 6; use += 1) await db.query(text).catch(() => undefined);
    await until("all to be back", () => db.stats().active === 0 && db.stats().idle >= 4);
    for (const options of [{}, { access: "read" }] as const) {
      const running = Promise.allSettled([1, 2, 3].map(() => db.query(text, [], options)));
      expect(db.stats().active).toBe(3);
      await running;
      await rest(db);
    }
  });

  it("leave no trace in each other's sessions, whatever runs between them", async () => {
    const db = open({ pipeline: { connections: 2 } }, { max: 3 });
    await prove(db, POINT, [1]);
    const setting = "SELECT current_setting('my.own', true) AS own";
    await db.transaction((tx) => tx.query("SELECT set_config('my.own', 'secret', true)"));
    const held = await db.connect();
    await held.query("BEGIN");
    await held.query("SELECT set_config('my.own', 'secret', true)");
    await held.query("CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT 1");
    const seen = several(50, () => db.query<{ own: string | null }>(setting));
    await points(db);
    expect(new Set((await seen).map(({ rows: [row] }) => row?.own ?? ""))).toEqual(new Set([""]));
    await held.query("COMMIT");
    held.release();
  });

  it("do not wait for a table that others have locked, when they read another one", async () => {
    const db = open({ pipeline: { connections: 2 } }, { max: 20 });
    const locked = "SELECT count(*)::int AS n FROM locked WHERE id = $1";
    await warm(db, 10);
    await prove(db, POINT, [1]);
    await prove(db, locked, [1]);
    await cluster.primary.query("SELECT 1");
    const holder = await db.connect();
    await holder.query("BEGIN");
    await holder.query("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE");
    const waiting = several(3, (index) => db.query(locked, [index]));
    // They have been sent behind those that wait, and behind the next that do.
    await points(db, 5);
    await holder.query("COMMIT");
    holder.release();
    expect((await waiting).map(({ rows }) => rows)).toEqual(Array.from({ length: 3 }, () => [{ n: 0 }]));
    await rest(db);
  });

  it("are not hit when what somebody has left is cancelled", async () => {
    const db = open();
    await prove(db, SLEEP, [0, 1]);
    await prove(db, POINT, [1]);
    for (let round = 0; round < 15; round += 1) {
      const abort = new AbortController();
      const left = db.query(SLEEP, [30, 1], { signal: abort.signal });
      const others = points(db, 40);
      setTimeout(() => abort.abort(new Error("left")), round);
      await expect(left).rejects.toThrow("left");
      await others;
    }
    await rest(db);
  });

  it("fail each on its own in every phase, on connections that stay", async () => {
    const db = open({ pipeline: { connections: 1 } });
    const division = "SELECT 10 / $1::int AS part";
    const text = "SELECT $1::text AS text";
    const number = "SELECT $1::int AS number";
    for (const [each, value] of [
      [division, 1],
      [text, "x"],
      [number, 1],
    ] as const)
      await prove(db, each, [value]);
    await prove(db, POINT, [1]);
    const before = db.stats().metrics.connections;
    for (let round = 0; round < 5; round += 1) {
      const outcomes = Promise.allSettled([
        db.query(division, [0]),
        db.query(division, [2]),
        db.query(text, ["\0"]),
        db.query(number, ["no number"]),
        db.query(number, [7]),
        db.query(number, [1, 2]),
        db.query("SELECT nothing FROM nowhere"),
        db.query("SELECT 1 +"),
        db.query(""),
        db.query("COPY things TO STDOUT").then(
          () => undefined,
          () => undefined,
        ),
      ]);
      await points(db, 20);
      expect(codes(await outcomes)).toEqual([
        "22012",
        "ok",
        "22021",
        "22P02",
        "ok",
        "08P01",
        "42P01",
        "42601",
        "ok",
        "ok",
      ]);
      await rest(db);
    }
    expect(db.stats().metrics.connections.closed - before.closed).toBeLessThanOrEqual(5);
  });

  it("fail each on its own where the server refuses what only it can see: a write in a view, a limit of time", async () => {
    const db = open(
      { pipeline: { connections: 1 } },
      { statement_timeout: 1_000, options: "-c default_transaction_read_only=on" },
    );
    const view = "SELECT number FROM counting WHERE id = $1 AND $2::text = 'yes'";
    await prove(db, view, [1, "no"]);
    await prove(db, SLEEP, [0, 1]);
    await prove(db, POINT, [1]);
    const refused = db.query(view, [1, "yes"]);
    const slow = db.query(SLEEP, [30, 1]);
    const others = points(db);
    expect(codes(await Promise.allSettled([refused, slow]))).toEqual(["25006", "57014"]);
    await others;
    await rest(db);
    expect(db.stats().metrics.connections.closed).toBe(0);
  });

  it("hand notices on, and are not confused by them", async () => {
    const db = open({ pipeline: { connections: 1 } });
    const heard: unknown[] = [];
    db.on("connection:notice", ({ notice }) => heard.push((notice as { message: string }).message));
    const text = "SELECT heard FROM noise WHERE id = $1";
    await prove(db, text, [1]);
    heard.length = 0;
    const results = await several(50, (index) => db.query(text, [index + 1]));
    expect(results.map(({ rows: [row] }) => row?.["heard"])).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
    expect(new Set(heard)).toEqual(new Set(Array.from({ length: 50 }, (_, index) => `noise ${index + 1}`)));
  });

  it("stand beside values of any size", async () => {
    const db = open();
    await prove(db, POINT, [1]);
    const text = "SELECT length($1::text) AS length, $2::int AS number";
    await prove(db, text, ["x", 1]);
    const sizes = [0, 1, 8_000, 16_384, 70_000, 3_000_000];
    const big = several(30, (index) => db.query(text, ["é".repeat(sizes[index % sizes.length] as number), index]));
    await points(db);
    expect((await big).map(({ rows: [row] }) => row)).toEqual(
      Array.from({ length: 30 }, (_, index) => ({ length: sizes[index % sizes.length], number: index })),
    );
  });

  it("are answered while more statements are prepared than a connection keeps", async () => {
    const db = open({ pipeline: { connections: 1, depth: 100 } }, { max: 1 });
    const texts = Array.from({ length: 400 }, (_, index) => `SELECT $1::int + ${index} AS sum`);
    for (let use = 1; use <= 4; use += 1) {
      const results = await Promise.all(texts.map((text) => db.query(text, [use])));
      expect(results.map(({ rows: [row] }) => row?.["sum"])).toEqual(texts.map((_, index) => index + use));
    }
    const { rows } = await db.query("SELECT count(*)::int AS prepared FROM pg_prepared_statements");
    expect(rows).toEqual([{ prepared: 250 }]);
  });

  it("leave nothing prepared behind that fails again and again", async () => {
    const db = open({}, { max: 1 });
    for (let use = 1; use <= 40; use += 1)
      await expect(db.query("SELECT $1::int AS number", ["no number"])).rejects.toMatchObject({ code: "22P02" });
    const { rows } = await db.query("SELECT count(*)::int AS prepared FROM pg_prepared_statements");
    expect(rows).toEqual([{ prepared: 1 }]);
    expect((await db.query("SELECT $1::int AS number", ["7"])).rows).toEqual([{ number: 7 }]);
  });

  it("go on while a table gets columns, is gone and is back, and are prepared again then", async () => {
    const db = open({ pipeline: { connections: 1 } }, { max: 1 });
    await cluster.primary.query("CREATE TABLE moving (id int); INSERT INTO moving SELECT generate_series(1, 100)");
    const text = "SELECT * FROM moving WHERE id = $1";
    await prove(db, text, [1]);
    const load = { over: false };
    const outcomes = new Set<unknown>();
    const callers = several(12, async (caller) => {
      while (!load.over) {
        await db.query<{ id: number }>(text, [caller + 1]).then(
          ({ rows }) => outcomes.add(rows[0]?.id === caller + 1 ? "own" : "another's"),
          (error: { code?: unknown }) => outcomes.add(error.code),
        );
      }
    });
    for (let round = 0; round < 10; round += 1) {
      await cluster.primary.query(`ALTER TABLE moving ADD COLUMN c${round} int DEFAULT ${round}`);
      await db.query("SELECT 1");
    }
    expect(outcomes).toEqual(new Set(["own"]));
    for (let round = 0; round < 5; round += 1) {
      await cluster.primary.query("ALTER TABLE moving RENAME TO gone");
      await until("it to be missed", () => outcomes.delete("42P01"));
      await cluster.primary.query("ALTER TABLE gone RENAME TO moving");
      outcomes.delete("own");
      await until("it to be back", () => outcomes.has("own"));
    }
    load.over = true;
    await callers;
    outcomes.delete("42P01");
    expect(outcomes).toEqual(new Set(["own"]));
    for (let use = 1; use <= 3; use += 1) await db.query(text, [1]);
    const { rows } = await db.query(
      "SELECT count(*)::int AS prepared FROM pg_prepared_statements WHERE statement LIKE '%moving%'",
    );
    expect(rows).not.toEqual([{ prepared: 0 }]);
  });

  it("go on while others have the server forget what was prepared", async () => {
    const db = open({ pipeline: { connections: 2 } }, { max: 3 });
    await prove(db, POINT, [1]);
    const load = { over: false };
    const callers = several(10, async (caller) => {
      while (!load.over) expect((await db.query(POINT, [caller + 1])).rows).toEqual([{ name: `thing ${caller + 1}` }]);
    });
    for (const forget of ["DEALLOCATE ALL", "DISCARD ALL", "DEALLOCATE PREPARE ALL", "DISCARD PLANS"]) {
      for (let round = 0; round < 3; round += 1) await db.query(forget);
    }
    load.over = true;
    await callers;
  });

  it("are served when the only connection dies for which they wait, again and again", async () => {
    const db = open({ pipeline: { connections: 1, depth: 1 } }, { max: 1 });
    await prove(db, SLEEP, [0, 1]);
    await prove(db, POINT, [1]);
    for (let round = 0; round < 5; round += 1) {
      const first = db.query(SLEEP, [30, 1]);
      const others = points(db, 5);
      first.catch(() => undefined);
      await until("it to run", async () => {
        const rows = await cluster.primary.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        );
        return rows.length > 0;
      });
      await expect(first).rejects.toMatchObject({ code: "57P01" });
      await others;
    }
  });
});
