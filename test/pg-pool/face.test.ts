import { commitResolution, compose, type Database, database, failureOf, fromPg, policy, retry } from "breakwater";
import { asPgPool, Pool } from "@breakwater/pg";
import * as module from "breakwater/pg";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { fakePool } from "../../packages/core/src/testing/fake-pool.ts";
import { useServer } from "./support.ts";

const server = useServer();

/** A stack that writes down what passes through it. */
function observed(max = 5): { db: Database; seen: { kind: string; access: string; label: string | undefined }[] } {
  const seen: { kind: string; access: string; label: string | undefined }[] = [];
  const watch = policy("watch", (operation, next) => {
    const { kind, access, label } = operation;
    seen.push({ kind, access, label });
    return next(operation);
  });
  return { db: database(watch(fromPg({ connectionString: server().directConnectionString, max }))), seen };
}

async function onServer<T>(text: string): Promise<T[]> {
  return await server().query<T & Record<string, unknown>>(text);
}

describe("asPgPool", () => {
  it("refuses what is no Database, a stack that does not stand on pg, and wrong options", async () => {
    const { db } = observed();
    expect(() => asPgPool({} as Database)).toThrow(TypeError);
    expect(() => asPgPool(database(fakePool()))).toThrow(/asPgPool\.db must stand on fromPg\(\)/);
    expect(() => asPgPool(db, { timeoutMs: -1 })).toThrow(/call\.timeoutMs/);
    expect(() => asPgPool(db, { drainMs: -1 })).toThrow(/asPgPool\.drainMs/);
    expect(() => asPgPool(db, { wrong: 1 } as object)).toThrow(/asPgPool\.wrong is unknown/);
    expect(() => asPgPool(db, { exactlyOnce: true })).toThrow(/need commitResolution/);
    await db.close();
  });

  it("sends everything through the stack, with its options", async () => {
    const { db, seen } = observed();
    const pool = asPgPool(db, { label: "orders" });
    await pool.query("SELECT 1");
    await pool.query("CREATE TABLE seen (id int)");
    (await pool.connect()).release();
    expect(seen).toEqual([
      { kind: "query", access: "read", label: "orders" },
      { kind: "query", access: "write", label: "orders" },
      { kind: "session", access: "write", label: "orders" },
    ]);
    const reads = asPgPool(db, { access: "read" });
    (await reads.connect()).release();
    expect(seen.at(-1)).toMatchObject({ kind: "session", access: "read" });
    await pool.end();
  });

  it("sends no statement of a borrowed client through the stack by itself", async () => {
    const { db, seen } = observed();
    const pool = asPgPool(db);
    const client = await pool.connect();
    await client.query("BEGIN");
    await client.query("SELECT 1");
    await client.query("COMMIT");
    client.release();
    expect(seen).toHaveLength(1);
    await pool.end();
  });

  it("rolls back what is left open before anybody else gets the connection", async () => {
    const { db } = observed(1);
    const pool = asPgPool(db);
    await pool.query("CREATE TABLE left_open (id int)");
    const rolledBack: unknown[] = [];
    db.on("connection:open-transaction", (event) => rolledBack.push(event));
    const client = await pool.connect();
    await client.query("BEGIN");
    await client.query("INSERT INTO left_open VALUES (1)");
    client.release();
    expect((await pool.query("SELECT * FROM left_open")).rows).toEqual([]);
    expect(rolledBack).toHaveLength(1);
    await pool.end();
  });

  it("waits for what a borrower left running, and rolls back what that began", async () => {
    const { db } = observed(1);
    const pool = asPgPool(db);
    await pool.query("CREATE TABLE left_running (id int)");
    const client = await pool.connect();
    const begun = client.query("BEGIN; INSERT INTO left_running VALUES (1)");
    client.release();
    expect((await pool.query("SELECT * FROM left_running")).rows).toEqual([]);
    await expect(begun).resolves.toBeDefined();
    await pool.end();
  });

  it("keeps a connection after an ordinary error where that is wished for", async () => {
    const { db } = observed();
    const pool = asPgPool(db, { keepAfterError: true });
    await expect(pool.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "22012" });
    expect(pool).toMatchObject({ totalCount: 1, idleCount: 1 });
    await pool.end();
  });

  it("takes a statement of a class that makes its text when it is asked for it, as tagged templates do", async () => {
    class Tagged {
      readonly values: readonly unknown[] = [2];
      readonly name = undefined;
      get text(): string {
        return "SELECT $1::int AS two";
      }
      get rowMode(): string {
        return "array";
      }
    }
    const { db } = observed(1);
    const pool = asPgPool(db, { clientsThroughStack: true });
    expect((await pool.query(new Tagged() as unknown as pg.QueryConfig)).rows).toEqual([[2]]);
    const client = await pool.connect();
    expect((await client.query(new Tagged() as unknown as pg.QueryConfig)).rows).toEqual([[2]]);
    client.release();
    await pool.end();
  });

  it("keeps what an error means beside the error", async () => {
    const { db } = observed();
    const pool = asPgPool(db);
    const error: unknown = await pool.query("SELECT 1 / 0").catch((reason: unknown) => reason);
    expect(failureOf(error)).toMatchObject({ blames: "statement", effect: "none", retry: "never" });
    await pool.end();
  });

  it("ends nothing but itself when it stands on a session, and leaves no listener on the stack", async () => {
    const { db } = observed();
    await db.query("CREATE TABLE in_session (id int)");
    const before = db.pool.events.size;
    for (let request = 0; request < 20; request += 1) {
      const pool = asPgPool(db.session());
      await pool.query("INSERT INTO in_session VALUES ($1)", [request]);
      const { rows } = await pool.query("SELECT count(*)::int AS count FROM in_session");
      expect(rows).toEqual([{ count: request + 1 }]);
      pool.on("error", () => undefined);
      await pool.end();
      expect(pool.ended).toBe(true);
    }
    expect(db.pool.events.size).toBe(before);
    expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await db.close();
  });

  it("cuts off what does not end in time", async () => {
    const { db } = observed();
    const pool = asPgPool(db, { drainMs: 20 });
    const client = await pool.connect();
    client.on("error", () => undefined);
    const running = client.query("SELECT pg_sleep(60)");
    const [outcome] = await Promise.allSettled([running, pool.end()]);
    expect(outcome.status).toBe("rejected");
    expect(pool).toMatchObject({ ended: true, totalCount: 0 });
    expect(() => client.release()).not.toThrow();
  });
});

describe("asPgPool with exactlyOnce", () => {
  function resolving(max = 5): { pool: pg.Pool; db: Database } {
    const stack = compose(retry({ initialDelayMs: 5 }), commitResolution());
    const db = database(stack(fromPg({ connectionString: server().directConnectionString, max })));
    return { db, pool: asPgPool(db, { exactlyOnce: true }) };
  }

  it("takes a borrowed client's single statements through the stack, over that client", async () => {
    const { pool } = resolving(1);
    await pool.query("CREATE TABLE singles (pid int, number text)");
    const client = await pool.connect();
    const [{ pid } = {}] = (await client.query("SELECT pg_backend_pid() AS pid")).rows;
    // Room for one connection: a second one would never come.
    await client.query("INSERT INTO singles VALUES (pg_backend_pid(), pg_current_xact_id()::text)");
    const { rows } = await client.query("SELECT pid FROM singles");
    expect(rows).toEqual([{ pid }]);
    client.release();
    await pool.end();
  });

  it("runs a single statement again when its client dies under it, and frees the dead one's place", async () => {
    const { pool, db } = resolving(1);
    await pool.query("CREATE TABLE survivors (id int)");
    await pool.query("CREATE TABLE victims (pid int)");
    const client = await pool.connect();
    client.on("error", () => undefined);
    // It waits for a lock until its server process is ended.
    const blocker = new pg.Client(server().directConnectionString);
    await blocker.connect();
    await blocker.query("BEGIN; LOCK TABLE survivors");
    const inserted = client.query("INSERT INTO survivors VALUES (1)");
    const waiting = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO survivors%'`;
    await expect.poll(async () => (await onServer(waiting)).length).toBe(1);
    await onServer(`SELECT pg_terminate_backend(pid) FROM (${waiting}) AS it`);
    await blocker.query("COMMIT");
    await blocker.end();
    expect(await inserted).toMatchObject({ command: "INSERT", rowCount: 1 });
    expect((await pool.query("SELECT * FROM survivors")).rows).toEqual([{ id: 1 }]);
    client.release();
    expect(db.stats()).toMatchObject({ active: 0, waiting: 0 });
    await pool.end();
  });

  it("keeps the order of statements that are not waited for, and leaves transactions to their maker", async () => {
    const { pool } = resolving(1);
    await pool.query("CREATE TABLE ordered (id int)");
    const client = await pool.connect();
    const results = await Promise.all([
      client.query("INSERT INTO ordered VALUES (1)"),
      client.query("BEGIN"),
      client.query("INSERT INTO ordered VALUES (2)"),
      client.query("ROLLBACK"),
      client.query("INSERT INTO ordered VALUES (3)"),
      new Promise((resolve) =>
        client.query("SELECT array_agg(id) AS ids FROM ordered", (_error, result) => resolve(result)),
      ),
    ]);
    expect(results.at(-1)).toMatchObject({ rows: [{ ids: [1, 3] }] });
    client.release();
    expect(Object.hasOwn(client, "query")).toBe(false);
    await pool.end();
  });
});

describe("new Pool()", () => {
  it("can be subclassed, with a stack of one's own", async () => {
    class Counting extends Pool {
      ends = 0;
      override end(): Promise<void> {
        this.ends += 1;
        return super.end();
      }
    }
    const connectionString = server().directConnectionString;
    const pool = new Counting({ connectionString, stack: (source) => database(fromPg(source, { name: "own" })) });
    expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    expect(pool).toBeInstanceOf(pg.Pool);
    expect(pool).toBeInstanceOf(Pool);
    await pool.end();
    expect(pool.ends).toBe(1);
  });

  it("shows its options, but no password to those who only look", async () => {
    const pool = new Pool({ password: "secret", max: 3, face: { label: "orders" } });
    expect(pool.options).toMatchObject({ max: 3, password: "secret" });
    expect(JSON.stringify(pool.options)).not.toContain("secret");
    await pool.end();
  });
});

describe("breakwater/pg", () => {
  it("takes the options of the stack, and a name in which connections are made", async () => {
    const pool = new module.Pool({
      connectionString: server().directConnectionString,
      breakwater: { name: "shop", commitResolution: { exactlyOnce: true } },
      face: { exactlyOnce: true },
    });
    await pool.query("CREATE TABLE by_preset (id int)");
    expect((await pool.query("INSERT INTO by_preset VALUES (1)")).rowCount).toBe(1);
    await pool.end();
    await expect(pool.query("SELECT 1")).rejects.toThrow("after calling end");
  });
});
