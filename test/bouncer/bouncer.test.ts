/** The stack through PgBouncer in transaction mode, which gives each transaction another server connection. */
import { setTimeout as delay } from "node:timers/promises";
import { type Cluster, type ClusterNode, startCluster } from "@breakwater/chaos";
import { database, failureOf, type Pool } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { fromPostgresJs } from "@breakwater/postgres-js";
import { breakwater, type Database, ledgerTableSql } from "breakwater";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Bouncer, bouncerBinary, startBouncer } from "../failure-table/bouncer.ts";
import { reasons, Traffic, TRAFFIC_TABLE } from "../routing/support/traffic.ts";
import { errorOf } from "../support/wait.ts";

const LONG = 120_000;
const SETTINGS = { default_pool_size: 3, max_client_conn: 200 };

const ADAPTERS: readonly [string, (port: number, max?: number, pooler?: "transaction") => Pool][] = [
  [
    "pg",
    (port, max = 10, pooler) =>
      fromPg(
        { host: "127.0.0.1", port, user: "postgres", database: "postgres" },
        { max, ...(pooler === undefined ? {} : { pooler }) },
      ),
  ],
  [
    "postgres.js",
    (port, max = 10, pooler) =>
      fromPostgresJs(
        { host: "127.0.0.1", port, user: "postgres", database: "postgres" },
        { max, ...(pooler === undefined ? {} : { pooler }) },
      ),
  ],
];

const missing = bouncerBinary === undefined ? " (skipped: no pgbouncer here; BREAKWATER_PGBOUNCER names it)" : "";

describe.skipIf(bouncerBinary === undefined)(`through PgBouncer${missing}`, () => {
  let cluster: Cluster;
  let bouncers: Bouncer[] = [];
  const opened = new Set<Database>();

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 2, synchronous: true });
    for (const text of [TRAFFIC_TABLE, ledgerTableSql(), "CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)"])
      await cluster.primary.query(text);
    await cluster.primary.query("INSERT INTO counters SELECT n, 0 FROM generate_series(0, 99) AS n");
  }, LONG);
  afterEach(async () => {
    await Promise.all([...opened].map((db) => db.close({ drainMs: 100 })));
    opened.clear();
    for (const bouncer of bouncers.splice(0)) bouncer.stop();
  });
  afterAll(() => cluster?.close(), LONG);

  async function behind(node: ClusterNode, through?: number, settings: object = {}): Promise<Bouncer> {
    const bouncer = await startBouncer(node, { ...SETTINGS, ...settings }, through);
    bouncers.push(bouncer);
    return bouncer;
  }
  function keep(db: Database): Database {
    opened.add(db);
    return db;
  }
  /** Each row there once, and no call failed. */
  async function expectHarmless(traffic: Traffic): Promise<void> {
    await traffic.stop();
    expect(reasons(traffic.failed)).toEqual({});
    const rows = await cluster.primary.query<{ id: string }>("SELECT id FROM traffic ORDER BY id");
    expect(rows.map(({ id }) => Number(id))).toEqual(traffic.calls.flatMap(({ id }) => (id === undefined ? [] : [id])));
    await cluster.primary.query("TRUNCATE traffic");
  }

  describe.each(ADAPTERS)("%s", (_name, makePool) => {
    it.each(["found out", "told"])(
      "answers 1,000 of 1,000 prepared queries over 3 server connections (%s)",
      async (how) => {
        const { port } = await behind(cluster.primary);
        const db = keep(database(makePool(port, 20, how === "told" ? "transaction" : undefined)));
        const pids = new Set<number>();
        const answers = await Promise.all(
          Array.from({ length: 1_000 }, async (_, at) => {
            const text = `SELECT $1::int AS n, pg_backend_pid() AS pid, ${at % 10} AS text`;
            const { rows } = await db.query<{ n: number; pid: number }>({ name: `text ${at % 10}`, text }, [at]);
            pids.add(rows[0]!.pid);
            return rows[0]!.n;
          }),
        );
        expect(answers).toEqual(Array.from({ length: 1_000 }, (_, at) => at));
        expect(pids.size).toBeGreaterThan(1);
        expect(pids.size).toBeLessThanOrEqual(3);
      },
    );

    it("refuses what would last as long as a session, before it is sent, and takes what ends with its transaction", async () => {
      const { port } = await behind(cluster.primary);
      const db = keep(database(makePool(port, 2)));
      for (const text of [
        "SET statement_timeout = 5",
        "LISTEN news",
        "SELECT pg_advisory_lock(1)",
        "CREATE TEMP TABLE t (a int)",
        "PREPARE p AS SELECT 1",
      ]) {
        const error = await errorOf(db.query(text));
        expect(error).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
        expect(failureOf(error)).toMatchObject({ effect: "none", connection: "keep" });
        expect(await errorOf(db.transaction((tx) => tx.query(text)))).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
      }
      await expect(db.listen("news", () => undefined)).rejects.toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
      const shown = await db.transaction(async (tx) => {
        await tx.query("SET LOCAL work_mem = '1234kB'");
        await tx.query("CREATE TEMP TABLE t (a int) ON COMMIT DROP");
        await tx.query("SELECT pg_advisory_xact_lock(1)");
        return (await tx.query("SHOW work_mem")).rows;
      });
      expect(shown).toEqual([{ work_mem: "1234kB" }]);
      expect((await db.query("SHOW work_mem")).rows).not.toEqual(shown);
    });

    it("loses, doubles and fails nothing when answers to COMMIT are lost behind it", { timeout: LONG }, async () => {
      const { port } = await behind(cluster.primary, cluster.primary.port);
      const db = keep(breakwater({ primary: makePool(port) }));
      await cluster.primary.query("CREATE TABLE lost (id int)");
      await db.query("SELECT 1");
      using fault = cluster.primary.proxy.dropReply({ to: /^commit/i, every: 5 });
      const told: string[] = [];
      db.on("commit-resolution:resolved", ({ outcome, by }) => told.push(`${outcome} by ${by}`));
      const failed: unknown[] = [];
      await Promise.all(
        Array.from({ length: 100 }, (_, id) =>
          db
            .transaction((tx) => tx.query("INSERT INTO lost VALUES ($1)", [id]))
            .catch((error: unknown) => failed.push(error)),
        ),
      );
      expect(failed).toEqual([]);
      const rows = await cluster.primary.query<{ id: number }>("SELECT id FROM lost ORDER BY id");
      await cluster.primary.query("DROP TABLE lost");
      expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, id) => id));
      expect(fault.hits).toBeGreaterThanOrEqual(20);
      // By what the server knows of the transaction, whatever connection is asked.
      expect(new Set(told)).toEqual(new Set(["committed by status"]));
    });

    it(
      "fails no call when it is reloaded and restarted under load, and when the server is",
      { timeout: LONG },
      async () => {
        let bouncer = await behind(cluster.primary);
        const db = keep(breakwater({ primary: makePool(bouncer.port), commitResolution: { ledger: true } }));
        const traffic = new Traffic(db, 100);
        await traffic.nextWrite();
        bouncer.reload();
        await traffic.nextWrite();
        bouncer.stop();
        bouncer = await behind(cluster.primary, undefined, { listen_port: bouncer.port });
        await traffic.nextWrite();
        await cluster.primary.restart();
        await traffic.nextWrite();
        await expectHarmless(traffic);
      },
    );

    it("does once what waited for a server connection longer than query_wait_timeout", { timeout: LONG }, async () => {
      const { port } = await behind(cluster.primary, undefined, { default_pool_size: 1, query_wait_timeout: 1 });
      const db = keep(breakwater({ primary: makePool(port, 4) }));
      let written: Promise<unknown> | undefined;
      await db.transaction(async (tx) => {
        await tx.query("SELECT 1");
        written = db.query("UPDATE counters SET n = n + 1 WHERE id = 90");
        // PgBouncer gives up after a second whoever waits for the one server connection.
        await delay(1_300);
      });
      await written;
      expect((await db.query("SELECT n FROM counters WHERE id = 90")).rows).toEqual([{ n: 1 }]);
      await db.query("UPDATE counters SET n = 0 WHERE id = 90");
    });

    it("reads what it wrote, over replicas that lag", { timeout: LONG }, async () => {
      const [primary, ...replicas] = await Promise.all(
        [cluster.primary, ...cluster.replicas].map((node) => behind(node)),
      );
      const db = keep(
        breakwater({ primary: makePool(primary!.port), replicas: replicas.map(({ port }) => makePool(port)) }),
      );
      for (const node of cluster.replicas) {
        await node.query("ALTER SYSTEM SET recovery_min_apply_delay = 50");
        await node.query("SELECT pg_reload_conf()");
      }
      let [stale, fromReplicas] = [0, 0];
      await Promise.all(
        Array.from({ length: 20 }, async (_, id) => {
          const own = db.session();
          for (let n = 1; n <= 10; n += 1) {
            await own.query("UPDATE counters SET n = $2 WHERE id = $1", [id, n]);
            await new Promise((resolve) => setTimeout(resolve, n * 10));
            const { rows } = await own.query<{ n: number; replica: boolean }>(
              "SELECT n, pg_is_in_recovery() AS replica FROM counters WHERE id = $1",
              [id],
              { access: "read" },
            );
            if ((rows[0]?.n ?? 0) < n) stale += 1;
            if (rows[0]?.replica === true) fromReplicas += 1;
          }
        }),
      );
      for (const node of cluster.replicas) {
        await node.query("ALTER SYSTEM RESET recovery_min_apply_delay");
        await node.query("SELECT pg_reload_conf()");
      }
      await db.query("UPDATE counters SET n = 0");
      expect(stale).toBe(0);
      expect(fromReplicas).toBeGreaterThan(0);
    });

    it("fails no call when the primary is killed and a replica promoted", { timeout: LONG }, async () => {
      const old = cluster.primary;
      const [next, other] = cluster.replicas;
      const [first, second, third] = await Promise.all([old, next!, other!].map((node) => behind(node)));
      const db = keep(
        breakwater({
          primary: makePool(first!.port),
          replicas: [makePool(second!.port), makePool(third!.port)],
          commitResolution: { ledger: true },
        }),
      );
      const traffic = new Traffic(db, 100);
      await traffic.nextWrite();
      await old.kill();
      await next!.promote();
      await other!.follow(next!);
      await traffic.nextWrite();
      await old.follow(next!);
      await traffic.nextWrite();
      await expectHarmless(traffic);
    });
  });
});
