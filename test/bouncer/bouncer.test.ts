/**
 * The stack through PgBouncer in transaction mode, which gives each transaction another server connection: before 1.21,
 * and one that keeps what its clients prepare.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Cluster, type ClusterNode, startCluster } from "@breakwater/chaos";
import { database, failureOf, type Pool } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { fromPostgresJs } from "@breakwater/postgres-js";
import { breakwater, type Database, ledgerTableSql } from "breakwater";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Bouncer, bouncerBinaries, type BouncerBinary, startBouncer } from "../failure-table/bouncer.ts";
import { reasons, Traffic, TRAFFIC_TABLE } from "../routing/support/traffic.ts";
import { errorOf, until } from "../support/wait.ts";

const LONG = 120_000;
const SETTINGS = { default_pool_size: 3, max_client_conn: 200, admin_users: "postgres" };
/** Pairs of a write and a read of it, for each version and adapter. */
const PAIRS = Number(process.env["BREAKWATER_CAUSAL_PAIRS"] ?? 2_000);

interface Options {
  readonly pooler?: "transaction";
}

const ADAPTERS: readonly [string, (port: number, max?: number, options?: Options) => Pool][] = [
  [
    "pg",
    (port, max = 10, options = {}) =>
      fromPg({ host: "127.0.0.1", port, user: "postgres", database: "postgres" }, { max, ...options }),
  ],
  [
    "postgres.js",
    (port, max = 10, options = {}) =>
      fromPostgresJs({ host: "127.0.0.1", port, user: "postgres", database: "postgres" }, { max, ...options }),
  ],
];

const OLD = bouncerBinaries.find(({ keeps }) => !keeps);
const NEW = bouncerBinaries.find(({ keeps }) => keeps);

function named(binary: BouncerBinary | undefined, wanted: string): string {
  return binary?.version ?? `${wanted} (skipped: there is none here; BREAKWATER_PGBOUNCER names it)`;
}

describe.skipIf(OLD === undefined)(`through PgBouncer ${named(OLD, "before 1.21")}`, () => {
  scenarios(OLD, ADAPTERS);
});
describe.skipIf(NEW === undefined)(`through PgBouncer ${named(NEW, "1.21 or later")}`, () => {
  // postgres.js prepares nothing behind either, so that the one above says it all.
  scenarios(NEW, ADAPTERS.slice(0, 1));
});

function scenarios(binary: BouncerBinary | undefined, adapters: typeof ADAPTERS): void {
  const { file, keeps } = binary ?? { file: "", keeps: false };
  let cluster: Cluster;
  let bouncers: Bouncer[] = [];
  const opened = new Set<Database>();
  const underWay = new Set<Traffic>();

  beforeAll(async () => {
    cluster = await startCluster({
      replicas: 2,
      synchronous: true,
      settings: { client_connection_check_interval: "100ms" },
    });
    for (const text of [TRAFFIC_TABLE, ledgerTableSql(), "CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)"])
      await cluster.primary.query(text);
    await cluster.primary.query("INSERT INTO counters SELECT n, 0 FROM generate_series(0, 99) AS n");
  }, LONG);
  afterEach(async () => {
    await Promise.all([...opened].map((db) => db.close({ drainMs: 100 })));
    opened.clear();
    // Of a test that failed.
    for (const traffic of underWay) await traffic.stop();
    if (underWay.size > 0) await cluster.primary.query("TRUNCATE traffic");
    underWay.clear();
    for (const bouncer of bouncers.splice(0)) bouncer.stop();
  });
  afterAll(() => cluster?.close(), LONG);

  async function behind(node: ClusterNode, through?: number, settings: object = {}): Promise<Bouncer> {
    const bouncer = await startBouncer(node, { ...SETTINGS, ...settings }, through, file);
    bouncers.push(bouncer);
    return bouncer;
  }
  function keep(db: Database): Database {
    opened.add(db);
    return db;
  }
  function trafficOn(db: Database): Traffic {
    const traffic = new Traffic(db, 100);
    underWay.add(traffic);
    return traffic;
  }
  /** Each row there once, and no call failed. */
  async function expectHarmless(traffic: Traffic): Promise<void> {
    await traffic.stop();
    expect(reasons(traffic.failed)).toEqual({});
    const rows = await cluster.primary.query<{ id: string }>("SELECT id FROM traffic ORDER BY id");
    expect(rows.map(({ id }) => Number(id))).toEqual(traffic.calls.flatMap(({ id }) => (id === undefined ? [] : [id])));
    await cluster.primary.query("TRUNCATE traffic");
    underWay.delete(traffic);
  }

  describe.each(adapters)("%s", (adapter, makePool) => {
    it.each(["found out", "told"])(
      "answers 1,000 of 1,000 prepared queries over 3 server connections (%s)",
      async (how) => {
        const { port } = await behind(cluster.primary);
        const db = keep(database(makePool(port, 20, how === "told" ? { pooler: "transaction" } : {})));
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
        for (const refused of [
          () => db.transaction((tx) => tx.query(text)),
          () => db.batch(["SELECT 1", text]),
          () => db.executeMany(text, [[]]),
        ]) {
          expect(await errorOf(refused())).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
        }
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

    it("writes many rows of one statement, wherever it is asked to", async () => {
      const { port } = await behind(cluster.primary);
      const db = keep(database(makePool(port, 2)));
      const text = "UPDATE counters SET n = n + $2 WHERE id = $1";
      const rows = Array.from({ length: 100 }, (_, id) => [id, 1]);
      expect(await db.executeMany(text, rows)).toBe(100);
      expect(await db.transaction((tx) => tx.executeMany(text, rows))).toBe(100);
      const held = await db.connect();
      expect(await held.executeMany(text, rows)).toBe(100);
      held.release();
      expect(await db.execute("UPDATE counters SET n = 0 WHERE n = 3")).toBe(100);
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
        const traffic = trafficOn(db);
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
      let [pairs, stale, fromReplicas] = [0, 0, 0];
      await Promise.all(
        Array.from({ length: 100 }, async (_, id) => {
          const own = db.session();
          for (let n = 1; pairs < PAIRS; n += 1) {
            pairs += 1;
            await own.query("UPDATE counters SET n = $2 WHERE id = $1", [id, n]);
            // Read at once, while no replica has it, as well as when all do.
            if (n % 2 === 0) await delay((n % 10) * 10);
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
      expect(pairs).toBe(PAIRS);
      expect(stale).toBe(0);
      expect(fromReplicas).toBeGreaterThan(0);
    });

    it("prepares where the pooler keeps what is prepared, and nowhere else", async () => {
      // One server connection: whatever is prepared is seen.
      const settings = { default_pool_size: 1, ...(keeps ? { max_prepared_statements: 50 } : {}) };
      const bouncer = await behind(cluster.primary, undefined, settings);
      for (const option of [{}, { pooler: "transaction" }] as const) {
        const db = keep(database(makePool(bouncer.port, 2, option)));
        for (let n = 1; n <= 5; n += 1) {
          const { rows } = await db.query(`SELECT $1::int + ${Object.keys(option).length} AS n`, [n]);
          expect(rows).toEqual([{ n: n + Object.keys(option).length }]);
        }
      }
      const names = async (port: number): Promise<string[]> => {
        const db = keep(database(makePool(port, 1)));
        const { rows } = await db.query<{ name: string }>(
          "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT $1::int%' ORDER BY name",
        );
        return rows.map(({ name }) => name);
      };
      const left = await names(bouncer.port);
      if (keeps && adapter === "pg") expect(left).toHaveLength(2);
      else expect(left).toEqual([]);
      expect(left.filter((name) => !name.startsWith("PGBOUNCER_"))).toEqual([]);
      if (!keeps) return;
      const off = await behind(cluster.primary, undefined, { default_pool_size: 1, max_prepared_statements: 0 });
      const db = keep(database(makePool(off.port, 2)));
      for (let n = 1; n <= 5; n += 1) await db.query("SELECT $1::int AS n", [n]);
      expect(await names(off.port)).toEqual([]);
    });

    it("reads the columns that there are, when tables change under what was prepared", async () => {
      const bouncer = await behind(cluster.primary, undefined, { server_round_robin: 1 });
      const db = keep(database(makePool(bouncer.port, 6)));
      await cluster.primary.query("CREATE TABLE changing (id int, a text)");
      await cluster.primary.query("INSERT INTO changing VALUES (1, 'old')");
      const read = async (): Promise<unknown[]> => (await db.query("SELECT * FROM changing WHERE id = $1", [1])).rows;
      const write = "UPDATE changing SET b = $1 WHERE id = 1";
      /** On each of the three server connections, and by clients that have not read before. */
      const everywhere = async (): Promise<unknown[]> => {
        const one = await Promise.all(Array.from({ length: 3 }, read));
        for (let n = 0; n < 9; n += 1) one.push(await read());
        return [...new Set(one.map((rows) => JSON.stringify(rows)))];
      };
      try {
        // Prepared on one server connection, maybe on others.
        for (let n = 0; n < 4; n += 1) expect(await read()).toEqual([{ id: 1, a: "old" }]);
        await cluster.primary.query("ALTER TABLE changing DROP COLUMN a, ADD COLUMN b int DEFAULT 7");
        expect(await everywhere()).toEqual([JSON.stringify([{ id: 1, b: 7 }])]);
        for (let n = 0; n < 9; n += 1) await db.query(write, [n]);
        await cluster.primary.query("ALTER TABLE changing ALTER COLUMN b TYPE text");
        for (let n = 0; n < 9; n += 1) await db.query(write, [n]);
        expect(await everywhere()).toEqual([JSON.stringify([{ id: 1, b: "8" }])]);
        // Servers that have prepared nothing before know of no change.
        const fresh = async (): Promise<unknown[]> =>
          (await db.query("SELECT * FROM changing WHERE $1 = id", [1])).rows;
        for (let n = 0; n < 4; n += 1) expect(await fresh()).toEqual([{ id: 1, b: "8" }]);
        await cluster.primary.query("ALTER TABLE changing DROP COLUMN b, ADD COLUMN c int DEFAULT 9");
        await bouncer.command("RECONNECT");
        for (let n = 0; n < 9; n += 1) expect(await fresh()).toEqual([{ id: 1, c: 9 }]);
      } finally {
        await cluster.primary.query("DROP TABLE changing");
      }
    });

    it("cancels its own statements and nobody else's", { timeout: LONG }, async () => {
      const { port } = await behind(cluster.primary);
      const [impatient, patient] = [keep(database(makePool(port, 3))), keep(database(makePool(port, 6)))];
      await Promise.all([impatient.query("SELECT 1"), patient.query("SELECT 1")]);
      const so = { cancelled: 0, far: false };
      const others: unknown[] = [];
      const answers = Array.from({ length: 6 }, async () => {
        while (!so.far) await patient.query("SELECT pg_sleep(0.002)").catch((error: unknown) => others.push(error));
      });
      // All three server connections are used by both.
      await Promise.all(
        Array.from({ length: 3 }, async () => {
          for (let n = 0; n < 10; n += 1) {
            // The last one has taken its connection with it.
            await impatient.query("SELECT 1");
            const error = await errorOf(impatient.query("SELECT pg_sleep(60)", [], { timeoutMs: 50 }));
            expect(error).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
            so.cancelled += 1;
          }
        }),
      ).finally(() => (so.far = true));
      await Promise.all(answers);
      expect([so.cancelled, others]).toEqual([30, []]);
      // Nothing of what was given up goes on: what a request came too early for ends when the server misses its client.
      const running =
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'";
      await until("the last to end", async () => (await cluster.primary.query<{ n: number }>(running))[0]?.n === 0);
    });

    it(
      "fails no call when it is paused and resumed under load, and told other settings",
      { timeout: LONG },
      async () => {
        const bouncer = await behind(cluster.primary);
        const db = keep(breakwater({ primary: makePool(bouncer.port), commitResolution: { ledger: true } }));
        const traffic = trafficOn(db);
        await traffic.nextWrite();
        for (let round = 0; round < 3; round += 1) {
          await bouncer.command("PAUSE");
          // Calls that have begun since wait for the end of it.
          await delay(100);
          await bouncer.command("RESUME");
          await traffic.nextWrite();
        }
        // Every server connection is opened anew.
        await bouncer.command("RECONNECT");
        await traffic.nextWrite();
        // What was prepared is not found any more.
        bouncer.reload(keeps ? { max_prepared_statements: 0 } : { default_pool_size: 2 });
        await traffic.nextWrite();
        await delay(200);
        await traffic.nextWrite();
        await expectHarmless(traffic);
      },
    );

    it("fails no call when one takes over from another at the same address", { timeout: LONG }, async () => {
      const old = await behind(cluster.primary, undefined, { so_reuseport: 1 });
      const db = keep(breakwater({ primary: makePool(old.port), commitResolution: { ledger: true } }));
      const traffic = trafficOn(db);
      await traffic.nextWrite();
      await behind(cluster.primary, undefined, { so_reuseport: 1, listen_port: old.port });
      // It waits for transactions that run, and turns away whoever comes later.
      await old.leave("SIGINT");
      await traffic.nextWrite();
      await expectHarmless(traffic);
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
      const traffic = trafficOn(db);
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
}
