import { type Cluster, startCluster } from "@breakwater/chaos";
import {
  compose,
  database,
  type Database,
  failureOf,
  type Operation,
  operationContext,
  queryOperation,
} from "@breakwater/core";
import { Client, fromPg, type PgPool, Pool } from "@breakwater/pg";
import { retry, timeout } from "@breakwater/policies";
import { breakwater } from "breakwater";
import { inspect } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { errorOf, until } from "../support/wait.ts";

let cluster: Cluster;
const config = (more: pg.PoolConfig = {}): pg.PoolConfig => ({
  host: "127.0.0.1",
  port: cluster.primary.port,
  user: "postgres",
  database: "postgres",
  password: "geheim",
  application_name: "pools",
  ...more,
});
const given = (pool: pg.Pool): PgPool => pool;
const probe = (): Operation<unknown> => ({
  ...queryOperation({ text: "SELECT 1" }, operationContext("read")),
  purpose: "probe",
  deadline: performance.now() + 10_000,
});
const admin = (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  cluster.primary.query(text, values);
const connections = async (): Promise<number> =>
  Number((await admin("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'pools'"))[0]?.["n"]);
const listeners = (emitter: NodeJS.EventEmitter): number =>
  emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);

beforeAll(async () => {
  cluster = await startCluster({ replicas: 0, password: "geheim" });
  await admin("CREATE TABLE notes (id int PRIMARY KEY)");
});

afterAll(() => cluster.close());

describe("a pool of one's own, given", () => {
  it("keeps its options: max, statement_timeout, query_timeout, types", async () => {
    const types = { getTypeParser: () => (text: string) => `<${text}>` };
    const own = new pg.Pool(config({ max: 3, statement_timeout: 1_000, types: types }));
    const db = database(fromPg(given(own)));
    expect(db.stats().max).toBe(3);
    expect((await db.query("SELECT 1 AS a")).rows).toEqual([{ a: "<1>" }]);
    expect(await errorOf(db.query("SELECT pg_sleep(60)"))).toMatchObject({ code: "57014" });
    expect(await errorOf(db.transaction((tx) => tx.query("SELECT pg_sleep(60)"), { timeoutMs: 9_000 }))).toMatchObject({
      code: "57014",
    });
    await db.close();
    expect(own.ended).toBe(true);
  });

  it("that has a query_timeout ends the statement at that time, here and at the server", async () => {
    const db = database(fromPg(config({ query_timeout: 300, max: 1 }) as never));
    const began = performance.now();
    const error = await errorOf(db.query("INSERT INTO notes SELECT 1 FROM pg_sleep(60) /* given up */"));
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_OUTCOME_UNKNOWN", cause: { message: "Query read timeout" } });
    await until("the server to stop it", async () => {
      return (
        (
          await admin(
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%/* given up */' AND application_name = 'pools'",
          )
        ).length === 0
      );
    });
    expect(await admin("SELECT id FROM notes")).toEqual([]);
    expect((await db.query("SELECT 1 AS a")).rows).toEqual([{ a: 1 }]);
    await db.close();
  });

  it("goes on without us: no listener stays on it or on its clients, and it stays open", async () => {
    const own = new pg.Pool(config({ max: 2 }));
    await own.query("SELECT 1");
    const before = listeners(own);
    const first = await own.connect();
    const ofClient = listeners(first);
    first.release();
    for (let at = 0; at < 20; at += 1) {
      const db = database(fromPg(given(own), { closePool: false }));
      await Promise.all([db.query("SELECT 1"), db.query("SELECT 2")]);
      await db.close();
    }
    expect(listeners(own)).toBe(before);
    const client = await own.connect();
    expect(listeners(client)).toBe(ofClient);
    client.release();
    expect((await own.query("SELECT 1 AS a")).rows).toEqual([{ a: 1 }]);
    await own.end();
  });

  it("accumulates no listeners on its clients over 10,000 calls", async () => {
    const own = new pg.Pool(config({ max: 2 }));
    const db = database(fromPg(given(own)));
    await db.query("SELECT 1");
    const held = await db.connect();
    const before = listeners(held.driver as NodeJS.EventEmitter);
    held.release();
    for (let at = 0; at < 500; at += 1) {
      await Promise.all(Array.from({ length: 20 }, () => db.query("SELECT 1")));
    }
    const after = await db.connect();
    expect(listeners(after.driver as NodeJS.EventEmitter)).toBe(before);
    after.release();
    await db.close();
  });

  it("is shared: what others hold is not touched by an interrupt, nor waited for by close", async () => {
    const own = new pg.Pool(config({ max: 2 }));
    own.on("error", () => undefined);
    const pool = fromPg(given(own));
    const db = database(pool);
    await Promise.all([db.query("SELECT 1"), db.query("SELECT 1")]);
    const theirs = await own.connect();
    const answer = theirs.query("SELECT pg_sleep(0.3), 1 AS a");
    pool.interrupt(new Error("the node is gone"));
    expect((await answer).rows).toMatchObject([{ a: 1 }]);
    const began = performance.now();
    await db.close();
    expect(performance.now() - began).toBeLessThan(5_000);
    expect((await theirs.query("SELECT 2 AS b")).rows).toEqual([{ b: 2 }]);
    theirs.release();
    await until("the pool to end", () => own.ended);
  });

  it("that its owner ends refuses calls, and can still be closed", async () => {
    const own = new pg.Pool(config());
    const db = database(fromPg(given(own)));
    await db.query("SELECT 1");
    await own.end();
    const error = await errorOf(db.query("SELECT 1"));
    expect(failureOf(error)).toMatchObject({ effect: "none", retry: "never", blames: "caller" });
    await db.close();
    expect(() => fromPg(given(own))).toThrow(/a pool that is open/);
  });

  it("whose hooks throw passes on what they throw, and loses no place", async () => {
    const planted = new Error("planted");
    let fail = true;
    const own = new pg.Pool({
      ...config({ max: 1 }),
      onConnect: () => {
        if (fail) throw planted;
      },
    });
    const db = database(fromPg(given(own)));
    for (let at = 0; at < 3; at += 1) expect(await errorOf(db.query("SELECT 1"))).toBe(planted);
    fail = false;
    await db.query("SELECT 1");
    expect(db.stats()).toMatchObject({ active: 0, total: 1 });
    await db.close();

    const verifying = new pg.Pool(
      config({ max: 1, verify: (_: unknown, done: (error?: Error) => void) => done(planted) }),
    );
    const refused = database(fromPg(given(verifying)));
    expect(await errorOf(refused.query("SELECT 1"))).toBe(planted);
    await refused.close();
  });

  it("of a subclass, with clients of a subclass, works as any", async () => {
    class OwnClient extends pg.Client {
      readonly mine = true;
    }
    class OwnPool extends pg.Pool {}
    const own = new OwnPool({ ...config({ max: 1 }), Client: OwnClient });
    const pool = fromPg(given(own));
    const db = database(pool);
    const held = await db.connect();
    expect((held.driver as OwnClient).mine).toBe(true);
    held.release();
    await pool.execute(probe());
    await db.close();
  });

  it("ends clients that are used up or idle for too long, and stays in order", async () => {
    const db = database(fromPg(config({ max: 1, maxUses: 3, idleTimeoutMillis: 50 }) as never));
    const pids = new Set<unknown>();
    for (let at = 0; at < 9; at += 1) pids.add((await db.query("SELECT pg_backend_pid() AS pid")).rows[0]?.["pid"]);
    expect(pids.size).toBe(3);
    await until("the idle one to go", () => db.stats().total === 0);
    await db.query("SELECT 1");
    await db.close();
  });

  it("of one connection answers a call inside a call with a limit, not with silence", async () => {
    const db = database(fromPg(config({ max: 1 }) as never, { acquireTimeoutMs: 1_500 }));
    const error = await errorOf(db.transaction(async () => db.query("SELECT 1")));
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT", phase: "acquire" });
    expect(error.message).toMatch(/no connection became free in time/);
    await db.query("SELECT 1");
    await db.close();
  });
});

describe("a password", () => {
  it.each([
    ["as text", () => "geheim"],
    ["from a function", () => () => "geheim"],
    ["from an async function", () => async () => "geheim"],
  ])("%s is good for calls and for probes", async (_, password) => {
    const pool = fromPg(config({ password: password() }) as never);
    await pool.execute(probe());
    expect((await database(pool).query("SELECT 1")).rowCount).toBe(1);
    await pool.close();
  });

  describe.each([
    ["a connection string", (port: number) => `postgres://postgres@127.0.0.1:${port}/postgres?application_name=pools`],
    ["one with an empty password", (port: number) => `postgres://postgres:@127.0.0.1:${port}/postgres?password=`],
    [
      "one that says where in its parameters",
      (port: number) => `postgres://postgres@/postgres?host=127.0.0.1&port=${port}`,
    ],
  ])("from a function beside %s", (_, text) => {
    const beside = (password: unknown): never =>
      ({ connectionString: text(cluster.primary.port), password, max: 2 }) as never;

    it("is asked for each new connection, of calls and of probes", async () => {
      let asked = 0;
      const pool = fromPg(
        beside(async () => {
          asked += 1;
          return "geheim";
        }),
      );
      await pool.execute(probe());
      const db = database(pool);
      const held = [await db.connect(), await db.connect()];
      expect(asked).toBe(3);
      for (const connection of held) connection.release();
      await db.close();
    });

    it("is asked by a preset, a Pool and a Client as well", async () => {
      await using db = breakwater({ primary: beside(() => "geheim") });
      expect((await db.query("SELECT 1")).rowCount).toBe(1);
      const facade = new Pool(beside(async () => "geheim"));
      expect((await facade.query("SELECT 1")).rowCount).toBe(1);
      await facade.end();
      for (const replication of [undefined, "database"]) {
        const client = new Client({ ...(beside(async () => "geheim") as object), replication } as never);
        await client.connect();
        expect((await client.query("SELECT 1")).rowCount).toBe(1);
        await client.end();
      }
    });

    it("is told as such when it is wrong, and never shown", async () => {
      const pool = fromPg(beside(() => "falsch-geraten"));
      const error = await errorOf(database(pool).query("SELECT 1"));
      expect(error).toMatchObject({ code: "28P01" });
      expect(inspect([error, pool], { depth: 9 })).not.toContain("falsch-geraten");
      await pool.close();
    });
  });

  it.each([
    ["before @", (port: number) => `postgres://postgres:geheim@127.0.0.1:${port}/postgres`],
    ["in a parameter", (port: number) => `postgres://postgres@127.0.0.1:${port}/postgres?password=geheim`],
  ])("in a connection string, %s, goes before a function", async (_, text) => {
    const password = (): never => {
      throw new Error("nobody asks");
    };
    const pool = fromPg({ connectionString: text(cluster.primary.port), password });
    expect((await database(pool).query("SELECT 1")).rowCount).toBe(1);
    await pool.close();
  });

  it("from a function goes before what the environment says", async () => {
    vi.stubEnv("PGPASSWORD", "falsch-geraten");
    const connectionString = `postgres://postgres@127.0.0.1:${cluster.primary.port}/postgres`;
    const pool = fromPg({ connectionString, password: () => "geheim" });
    expect((await database(pool).query("SELECT 1")).rowCount).toBe(1);
    vi.unstubAllEnvs();
    await pool.close();
  });

  it("in a connection string is good for calls and for probes", async () => {
    const pool = fromPg(`postgres://postgres:geheim@127.0.0.1:${cluster.primary.port}/postgres`);
    await pool.execute(probe());
    expect((await database(pool).query("SELECT 1")).rowCount).toBe(1);
    await pool.close();
  });

  it("whose function throws is the caller's error, the same object, and leaves no link open", async () => {
    const planted = new Error("vault sealed");
    const pool = fromPg(config({ application_name: "vault", password: () => Promise.reject(planted) }) as never);
    expect(await errorOf(pool.execute(probe()))).toBe(planted);
    expect(await errorOf(database(pool).query("SELECT 1"))).toBe(planted);
    expect(pool.stats().active).toBe(0);
    await pool.close();
  });

  it("that is wrong is told as such, and never shown", async () => {
    const pool = fromPg(config({ password: "falsch-geraten" }) as never);
    const error = await errorOf(database(pool).query("SELECT 1"));
    expect(error).toMatchObject({ code: "28P01" });
    expect(failureOf(error)).toMatchObject({ retry: "never", phase: "connect" });
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain("falsch-geraten");
    await pool.close();
  });
});

describe("through the driver's own client", () => {
  it("a statement that nobody waited for is not met by who comes next", async () => {
    const db = database(fromPg(config({ max: 1 }) as never));
    const held = await db.connect();
    // What is set so is seen by nobody but its own transaction.
    const raw = (held.driver as pg.Client).query(
      "BEGIN; SELECT set_config('pools.inside', 'yes', true); SELECT pg_sleep(0.3)",
    );
    held.release();
    const inside = "SELECT coalesce(current_setting('pools.inside', true), '') AS inside";
    expect((await db.query(inside)).rows).toEqual([{ inside: "" }]);
    await raw;
    await db.close();
  });

  it("a release past the layer does no harm: no crash, no place lost", async () => {
    const db = database(fromPg(config({ max: 1 }) as never));
    const held = await db.connect();
    (held.driver as pg.PoolClient).release();
    held.release();
    await db.query("SELECT 1");
    const other = await db.connect();
    (other.driver as pg.PoolClient).release();
    other.destroy();
    await db.query("SELECT 1");
    expect(db.stats().active).toBe(0);
    await db.close();
  });
});

describe("behind retry", () => {
  const stack = (): Database =>
    database(compose(timeout({ limitMs: 20_000 }), retry({ initialDelayMs: 1 }))(fromPg(config() as never)));

  it("50 of 50 reads succeed although their connections are ended one after another", async () => {
    const db = stack();
    let good = 0;
    for (let at = 0; at < 50; at += 1) {
      await admin("SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE application_name = 'pools'");
      good += (await db.query("SELECT 1 AS a")).rows.length;
    }
    expect(good).toBe(50);
    await db.close();
  });

  it("transactions that are in each other's way are run again as a whole", async () => {
    const db = stack();
    await admin("CREATE TABLE counters (id int PRIMARY KEY, n int); INSERT INTO counters VALUES (1, 0)");
    let attempts = 0;
    let toldAll = (): void => undefined;
    const allHaveRead = new Promise<void>((resolve) => (toldAll = resolve));
    await Promise.all(
      Array.from({ length: 6 }, () =>
        db
          .transaction(
            async (tx) => {
              attempts += 1;
              const { rows } = await tx.query<{ n: number }>("SELECT n FROM counters WHERE id = 1");
              // The first goes of all are in each other's way, however the machine runs them.
              if (attempts === 6) toldAll();
              await allHaveRead;
              await tx.query("UPDATE counters SET n = $1 WHERE id = 1", [(rows[0]?.n ?? 0) + 1]);
            },
            { isolation: "serializable" },
          )
          .catch((error: unknown) => {
            if (failureOf(error).blames !== "contention") throw error;
            return undefined;
          }),
      ),
    );
    const [row] = await admin("SELECT n FROM counters");
    expect(Number(row?.["n"])).toBeGreaterThan(0);
    expect(Number(row?.["n"])).toBeLessThanOrEqual(6);
    expect(attempts).toBeGreaterThan(6);
    await db.close();
    await until("no connection to be left", async () => (await connections()) === 0);
  });
});
