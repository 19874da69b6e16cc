/** Wrong configurations, planted on real servers: each must be found, and its change must mend it. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { type Cluster, type ClusterNode, startCluster } from "@breakwater/chaos";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bouncer, bouncerBinary, startBouncer } from "../failure-table/bouncer.ts";
import { command } from "../scenarios/command.ts";
import { OTHER_VERSION } from "../support/database.ts";
import { until } from "../support/wait.ts";
import { dsn, look, nameOf, PASSWORD } from "./looking.ts";

const LONG = 120_000;

/** A server that nothing is to be said against. */
const SOUND = {
  fsync: "on",
  client_connection_check_interval: "2s",
  idle_in_transaction_session_timeout: "60s",
  tcp_keepalives_idle: "60s",
  max_prepared_transactions: "2",
  hot_standby_feedback: "on",
};

let cluster: Cluster;
let n1: ClusterNode;
let n2: ClusterNode;
let n3: ClusterNode;

/** Runs statements one by one: ALTER SYSTEM wants no transaction around it. */
async function run(node: ClusterNode, ...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await node.query(statement);
}

async function inShop(node: ClusterNode, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: dsn(node, { user: "postgres" }) });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  cluster = await startCluster({ replicas: 2, password: PASSWORD, settings: SOUND });
  [n1, n2, n3] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  await run(n1, `CREATE ROLE app LOGIN PASSWORD '${PASSWORD}' IN ROLE pg_monitor`, "CREATE DATABASE shop OWNER app");
  for (const replica of [n2, n3])
    await until("the database on each replica", async () => {
      const rows = await replica.query("SELECT 1 FROM pg_database WHERE datname = 'shop'");
      return rows.length === 1;
    });
}, LONG);
afterAll(() => cluster?.close(), LONG);

describe("breakwater doctor", () => {
  it("finds nothing serious where all is well, and names what may be better", async () => {
    const found = await look(dsn(n1), dsn(n2), dsn(n3));
    expect(found.serious()).toEqual([]);
    expect(found.code).toBe(0);
    expect(found.nodes).toEqual([
      expect.objectContaining({ name: nameOf(n1), role: "primary", timeline: 1, pooled: false }),
      expect.objectContaining({ name: nameOf(n2), role: "replica", timeline: 1, lagBytes: 0 }),
      expect.objectContaining({ name: nameOf(n3), role: "replica", timeline: 1, lagBytes: 0 }),
    ]);
    expect(found.only("asynchronous-replication")).toMatchObject({
      level: "note",
      node: nameOf(n1),
      change: `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 ("n2", "n3")'; SELECT pg_reload_conf();`,
    });
    expect(found.counts).toEqual({ error: 0, warning: 0, note: found.findings.length });
  });

  it("finds what is planted among the settings, and its changes mend it", async () => {
    await run(
      n1,
      "ALTER SYSTEM SET fsync = off",
      "ALTER SYSTEM SET full_page_writes = off",
      "ALTER SYSTEM SET client_connection_check_interval = 0",
      "ALTER SYSTEM SET tcp_keepalives_idle = 7200",
      "ALTER SYSTEM SET password_encryption = 'md5'",
      "ALTER SYSTEM SET autovacuum = off",
      "ALTER SYSTEM SET wal_sender_timeout = 0",
      "ALTER SYSTEM SET superuser_reserved_connections = 0",
      "ALTER ROLE app SET synchronous_commit = off",
      "ALTER DATABASE shop SET idle_in_transaction_session_timeout = 0",
      "ALTER ROLE app IN DATABASE shop SET default_transaction_read_only = on",
      "SELECT pg_create_physical_replication_slot('forgotten', true)",
    );
    await inShop(n1, "BEGIN; CREATE TABLE left_over (); PREPARE TRANSACTION 'it''s left'");
    await run(
      n3,
      "ALTER SYSTEM SET max_standby_streaming_delay = 0",
      "ALTER SYSTEM SET work_mem = '5MB'",
      "SELECT pg_reload_conf()",
    );
    await n1.restart();
    await cluster.waitForStreaming();
    await run(
      n2,
      "ALTER SYSTEM SET max_standby_streaming_delay = -1",
      "ALTER SYSTEM SET recovery_min_apply_delay = '1h'",
      "ALTER SYSTEM SET wal_receiver_timeout = 0",
      "SELECT pg_reload_conf()",
      "SELECT pg_wal_replay_pause()",
    );
    await run(n1, "ALTER SYSTEM SET max_worker_processes = 9", "SELECT pg_reload_conf()");

    const found = await look(dsn(n1), dsn(n2), dsn(n3), "--pool-size", "60", "--processes", "2");
    expect(found.code).toBe(1);
    expect(found.only("prepared-transactions-left").change).toContain("ROLLBACK PREPARED 'it''s left';");
    // In its first minute that one is a note.
    expect(found.serious(nameOf(n1)).filter((id) => id !== "prepared-transactions-left")).toEqual([
      "autovacuum-off",
      "client-connection-check-off",
      "default-read-only",
      "fsync-off",
      "full-page-writes-off",
      "idle-in-transaction-timeout-off",
      "password-md5",
      "pool-too-large",
      "restart-pending",
      "slot-inactive",
      "superuser-reserve-none",
      "synchronous-commit-off",
      "tcp-keepalives-slow",
      "wal-sender-timeout-off",
    ]);
    expect(found.serious(nameOf(n2))).toEqual(
      expect.arrayContaining([
        "replay-delayed",
        "replay-paused",
        "standby-delay-unbounded",
        "wal-receiver-timeout-off",
      ]),
    );
    expect(found.serious(nameOf(n3))).toEqual(expect.arrayContaining(["pool-too-large", "standby-delay-zero"]));

    // Who has set it says how it is changed.
    expect(found.findings.find(({ id }) => id === "synchronous-commit-off")?.change).toBe(
      `ALTER ROLE "app" SET synchronous_commit = 'on';`,
    );
    expect(found.findings.find(({ id }) => id === "default-read-only")?.change).toBe(
      `ALTER ROLE "app" IN DATABASE "shop" SET default_transaction_read_only = 'off';`,
    );
    // Every change that is a statement, run as it stands.
    await run(n2, "SELECT pg_wal_replay_resume()");
    for (const { node, change } of found.findings) {
      const at = [n1, n2, n3].find((one) => nameOf(one) === node);
      const statements =
        /(?:ALTER (?:SYSTEM|ROLE|DATABASE) SET |ALTER (?:ROLE|DATABASE) "|SELECT pg_(?:reload|drop)|ROLLBACK PREPARED)[^;]*;/g;
      for (const [statement] of change.matchAll(statements)) {
        // A role and a database are changed on the primary. What a replica shows of them is the primary's.
        if (at === undefined || (at !== n1 && !/SYSTEM|reload/.test(statement))) continue;
        await (statement.startsWith("ROLLBACK PREPARED") ? inShop(at, statement) : run(at, statement));
      }
    }
    await run(n1, "ALTER SYSTEM RESET max_connections", "ALTER SYSTEM RESET max_worker_processes");
    for (const replica of [n2, n3]) await run(replica, "ALTER SYSTEM RESET max_connections");
    await Promise.all(cluster.nodes.map((node) => node.restart()));
    await cluster.waitForStreaming();
    expect((await look(dsn(n1), dsn(n2), dsn(n3))).findings.filter(({ level }) => level !== "note")).toEqual([]);
  });

  it("finds what is wrong between the nodes", async () => {
    await run(n1, "ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (nobody, \"N9\")'", "SELECT pg_reload_conf()");
    const [waiting, headless, twice] = await Promise.all([
      look(dsn(n1), dsn(n2)),
      look("--primary", dsn(n2), "--replica", dsn(n3)),
      look(dsn(n1), dsn(n1, { port: n1.port }), dsn(n2, { database: "postgres" })),
    ]);
    expect(waiting.serious()).toEqual(["synchronous-standbys-missing"]);
    expect(waiting.only("synchronous-standbys-missing")).toMatchObject({
      level: "error",
      seen: 'synchronous_standby_names = FIRST 1 (nobody, "N9"): needs 1, has 0; connected: n2, n3',
    });
    expect(waiting.only("replica-unlisted").node).toBe(nameOf(n1));
    expect(headless.serious(null)).toEqual(["no-primary"]);
    expect(headless.only("role-unexpected")).toMatchObject({
      node: nameOf(n2),
      seen: "given as primary, is a replica",
    });
    expect(twice.only("same-server-twice").node).toBe(nameOf(n1, n1.port));
    expect(twice.only("databases-differ").node).toBe(nameOf(n2).replace("shop", "postgres"));

    await run(n1, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()");
    await n2.pauseReplay();
    await run(n1, "CREATE TABLE not_seen_there ()");
    const paused = await look(dsn(n1), dsn(n2));
    expect(paused.serious(nameOf(n2))).toEqual(["replay-paused"]);
    expect(paused.nodes[1]!["lagBytes"]).toBeGreaterThan(0);
    await n2.resumeReplay();
  });

  it("finds nodes that cannot be examined, says why, and what to look at", async () => {
    n3.hang();
    const wrong = "wrong/horse?";
    const hung = look(dsn(n3), "--timeout-ms", "300");
    const found = await look(
      dsn(n1),
      dsn(n2, { password: wrong }),
      dsn(n1, { database: "nowhere" }),
      dsn(n1, { user: "nobody_here" }),
      dsn(n1, { port: 1 }),
      "postgres://app@nowhere.invalid/shop",
      `${dsn(n2)}?sslmode=verify-full`,
    );
    const hanging = await hung.finally(() => n3.resume());
    expect(found.code).toBe(1);
    const silent = found.findings.filter(({ node }) => node !== nameOf(n1));
    expect(Object.fromEntries(silent.map(({ id, node }) => [node, id]))).toEqual({
      [nameOf(n2)]: "password-refused",
      [nameOf(n1).replace("shop", "nowhere")]: "database-unknown",
      [`${nameOf(n1)} (2)`]: "password-refused",
      "127.0.0.1:1/shop": "server-unreachable",
      "nowhere.invalid:5432/shop": "host-unknown",
      [`${nameOf(n2)} (2)`]: "tls-refused",
    });
    expect(hanging.findings).toMatchObject([{ id: "no-answer", node: nameOf(n3), seen: "no answer within 300 ms" }]);
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), wrong, encodeURIComponent(wrong)])
      expect(found.all).not.toContain(secret);
  });

  it("sees with the eyes of a role that may see little, and says so", async () => {
    await run(n1, `CREATE ROLE plain LOGIN PASSWORD '${PASSWORD}' CONNECTION LIMIT 5`);
    await inShop(n1, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    const found = await look(dsn(n1, { user: "plain" }), "--ledger", "breakwater_ledger");
    expect(found.serious()).toEqual(["connection-limit", "ledger-missing", "role-cannot-identify"]);
    await inShop(n1, found.only("role-cannot-identify").change);
    expect(found.only("role-sees-little").change).toBe(
      `GRANT pg_monitor TO "plain"; or run doctor as a role that has it`,
    );
    const accepted = ["--ignore", "connection-limit,ledger-missing", "--ledger", "breakwater_ledger"];
    expect((await look(dsn(n1, { user: "plain" }), ...accepted)).code).toBe(0);
    await inShop(n1, "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC");
  });

  it("finds that a role's transactions are such as a replica refuses, and is not refused by it", async () => {
    await run(n1, `CREATE ROLE strict LOGIN PASSWORD '${PASSWORD}' IN ROLE pg_monitor`);
    await inShop(n1, "ALTER ROLE strict SET default_transaction_isolation = 'serializable'");
    const known = "SELECT setconfig::text LIKE $1 AS known FROM pg_db_role_setting WHERE setrole = 'strict'::regrole";
    const knows = async (isolation: string): Promise<void> =>
      until(`${isolation} on the replica`, async () => {
        const rows = await n2.query<{ known: boolean }>(known, [`%${isolation}%`]).catch(() => []);
        return rows[0]?.known === true;
      });
    await knows("serializable");
    const nodes = [dsn(n1, { user: "strict" }), dsn(n2, { user: "strict" })] as const;
    const found = await look(...nodes);
    expect(found.serious()).toEqual(["serializable-on-replica"]);
    expect(found.only("serializable-on-replica").node).toBe(nameOf(n2));
    await inShop(n1, found.only("serializable-on-replica").change);
    await knows("read committed");
    expect((await look(...nodes)).serious()).toEqual([]);
  });

  it("tells people, node by node, and never a password", async () => {
    const { code, out, error } = await command(tmpdir(), "doctor", dsn(n1, { user: "postgres" }), dsn(n2));
    expect([code, error]).toEqual([1, ""]);
    expect(out).toMatch(
      new RegExp(`^${nameOf(n1)}  primary, PostgreSQL \\d+\\.\\d+, timeline 1\\n  warning role-superuser\\n`),
    );
    expect(out).toMatch(/\n2 nodes: 0 errors, 1 warning, \d+ notes\n$/);
    expect(out).not.toContain(PASSWORD);
    expect(out).not.toContain(encodeURIComponent(PASSWORD));
  });

  it("ends with 2, and does not show what it could not read", async () => {
    const { code, out, error } = await command(tmpdir(), "doctor", dsn(n1), "postgres://app:hun/ter2@db1/shop");
    expect([code, out]).toEqual([2, ""]);
    expect(error).toMatch(/^breakwater: connection string 2 cannot be read: in user and password, write @ as %40/);
    expect(error).not.toMatch(/hun|ter2| {4}at /);
  });

  it("finds replicas that do not follow, and two primaries", async () => {
    // It goes on to ask where nobody is.
    await run(n2, "ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'", "SELECT pg_reload_conf()");
    await until("the replica to lose its primary", async () => {
      const rows = await n2.query("SELECT 1 FROM pg_stat_wal_receiver");
      return rows.length === 0;
    });
    await n3.promote();
    const found = await look(dsn(n1), dsn(n2), dsn(n3));
    expect(found.serious(null)).toEqual(["several-primaries"]);
    expect(found.only("several-primaries")).toMatchObject({
      level: "error",
      seen: `${nameOf(n3)} (timeline 2) and ${nameOf(n1)} (timeline 1) take writes`,
      change: expect.stringContaining(`stop ${nameOf(n1)}, `),
    });
    expect(found.serious(nameOf(n2))).toEqual(["replica-not-streaming", "timeline-differs"]);
  });

  // The kit's own servers are copies of one template; only another version's are of another cluster.
  it.skipIf(!existsSync(OTHER_VERSION))("finds a server of another cluster, and of another version", async () => {
    const other = await startCluster({ replicas: 0, password: PASSWORD, binaries: OTHER_VERSION });
    try {
      const stranger = dsn(other.primary, { user: "postgres", database: "postgres" });
      const name = `127.0.0.1:${other.primary.directPort}/postgres`;
      const found = await look(dsn(n3), stranger);
      expect(found.serious(null)).toEqual([]);
      expect(found.serious(name)).toEqual(expect.arrayContaining(["different-clusters", "versions-differ"]));
    } finally {
      await other.close();
    }
  });
});

const missing = bouncerBinary === undefined ? " (skipped: no pgbouncer here; BREAKWATER_PGBOUNCER names it)" : "";

describe.skipIf(bouncerBinary === undefined)(`breakwater doctor through PgBouncer${missing}`, () => {
  it("finds the pooler, and what is wrong with it", async () => {
    const alone = await startCluster({ replicas: 0, settings: SOUND });
    const bouncers: Bouncer[] = [];
    const behind = async (settings: Readonly<Record<string, string | number>>): Promise<string> => {
      const bouncer = await startBouncer(alone.primary, settings);
      bouncers.push(bouncer);
      return `postgres://postgres@127.0.0.1:${bouncer.port}/postgres`;
    };
    try {
      const careless = {
        default_pool_size: 5,
        pool_mode: "session",
        server_reset_query: "",
        query_wait_timeout: 0,
        max_client_conn: 9,
      };
      const found = await look(
        await behind(careless),
        await behind({ pool_mode: "statement" }),
        "--ignore",
        "role-superuser",
      );
      const [first, second] = found.nodes.map(({ name }) => String(name));
      expect(found.nodes).toMatchObject([{ pooled: true }, { pooled: true }]);
      expect(found.serious(first)).toEqual(["pooler-clients", "pooler-reset-none", "pooler-waits"]);
      expect(found.serious(second)).toEqual(["pooler-statement-mode", "same-server-twice"]);
    } finally {
      for (const bouncer of bouncers) bouncer.stop();
      await alone.close();
    }
  });
});
