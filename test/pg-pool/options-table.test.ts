/** The table of the options of other pools: nothing of theirs is left out, and what is said to be ours is there. */
import { readFileSync } from "node:fs";
import * as breakwater from "breakwater";
import * as core from "@breakwater/core";
import { asPgPool, fromPg } from "@breakwater/pg";
import * as policies from "@breakwater/policies";
import { describe, expect, it } from "vitest";

/** What each pool documents, by the head of its column. */
const THEIRS: Readonly<Record<string, string>> = {
  // node-postgres 8.23, documentation of Client and Pool.
  "pg.Pool": `connectionString host port database user password ssl sslnegotiation types binary options application_name
    fallback_application_name client_encoding statement_timeout query_timeout lock_timeout
    idle_in_transaction_session_timeout connectionTimeoutMillis keepAlive keepAliveInitialDelayMillis stream replication
    enableChannelBinding scramMaxIterations pipeline Promise Client max poolSize min idleTimeoutMillis maxUses
    maxLifetimeSeconds allowExitOnIdle onConnect verify log`,
  // asyncpg 0.31, create_pool() and connect().
  asyncpg: `dsn min_size max_size max_queries max_inactive_connection_lifetime connect setup init reset loop
    connection_class record_class host port user password passfile service servicefile database timeout
    statement_cache_size max_cached_statement_lifetime max_cacheable_statement_size command_timeout ssl direct_tls
    server_settings target_session_attrs krbsrvname gsslib`,
  // pgx 5, pgxpool.Config.
  pgxpool: `ConnConfig BeforeConnect AfterConnect BeforeAcquire PrepareConn AfterRelease BeforeClose ShouldPing
    MaxConnLifetime MaxConnLifetimeJitter MaxConnIdleTime PingTimeout MaxConns MinConns MinIdleConns HealthCheckPeriod`,
  // HikariCP 7, configuration and HikariConfig.
  HikariCP: `dataSourceClassName jdbcUrl username password autoCommit connectionTimeout idleTimeout keepaliveTime maxLifetime
    connectionTestQuery minimumIdle maximumPoolSize metricRegistry healthCheckRegistry poolName
    initializationFailTimeout isolateInternalQueries allowPoolSuspension readOnly registerMbeans catalog
    connectionInitSql driverClassName transactionIsolation validationTimeout leakDetectionThreshold dataSource schema
    threadFactory scheduledExecutor exceptionOverride exceptionOverrideClassName credentialsProvider
    dataSourceProperties healthCheckProperties metricsTrackerFactory dataSourceJNDI`,
  // SQLAlchemy 2, create_engine(), as far as it is about connections.
  SQLAlchemy: `connect_args creator echo echo_pool execution_options hide_parameters insertmanyvalues_page_size
    isolation_level logging_name max_overflow module plugins pool poolclass pool_logging_name pool_pre_ping
    pool_recycle pool_reset_on_return pool_size pool_timeout pool_use_lifo query_cache_size skip_autocommit_rollback`,
};

const [head = [], , ...rows] = tableOf(
  readFileSync(new URL("../../packages/pg/src/face/README.md", import.meta.url), "utf8").split(
    "## Options of other pools",
  )[1] ?? "",
);

function tableOf(text: string): string[][] {
  const lines = text.split("\n").filter((line) => line.startsWith("|"));
  return lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** What stands in backticks in a column. */
function named(column: string): string[] {
  const at = head.indexOf(column);
  return rows.flatMap((row) =>
    [...(row[at] ?? "").matchAll(/`([^`]+)`( \(pg\))?/g)].map(([, name, passed]) => `${name}${passed ?? ""}`),
  );
}

const db = breakwater.breakwater({ primary: "postgres://nobody@127.0.0.1:1/none" });

/** Every place that takes options and refuses those that it does not know. */
const TAKERS: readonly ((options: object) => unknown)[] = [
  (options) => fromPg("postgres://nobody@127.0.0.1:1/none", options),
  (options) => breakwater.breakwater({ primary: "postgres://nobody@127.0.0.1:1/none", ...options }),
  (options) => asPgPool(db, options),
  (options) => policies.leakWatch(options),
  (options) => db.context(options, () => "read"),
];

/** Whether somebody takes an option of that name: whatever is wrong with this value, it is not that nobody knows it. */
function isTaken(name: string): boolean {
  return TAKERS.some((take) => {
    try {
      take({ [name]: Symbol("no value for any option") });
      return true;
    } catch (error) {
      return !/is unknown/.test(String(error));
    }
  });
}

describe("the table of the options of other pools", () => {
  it.each(Object.entries(THEIRS))("names every option of %s", (column, options) => {
    const there = new Set(named(column).map((name) => name.split(".")[0]));
    const all = options.split(/\s+/).filter((name) => name !== "");
    expect(head).toContain(column);
    expect(all.filter((name) => !there.has(name))).toEqual([]);
  });

  it("says what each is called here, and there it is", async () => {
    const ofPg = new Set(THEIRS["pg.Pool"]?.split(/\s+/));
    const exported = { ...core, ...policies, ...breakwater };
    const pool = asPgPool(db.session());
    const unknown = named("here").filter((name) => {
      if (name.endsWith(" (pg)")) return !ofPg.has(name.slice(0, -5));
      if (!name.endsWith("()"))
        return !isTaken(name) && !(name in exported) && !["acquire", "remove", "Client", "pg"].includes(name);
      const [method = "", of] = name.slice(0, -2).split(".").toReversed();
      const holders: readonly object[] =
        of === undefined ? [db, pool, db.pool, exported] : [db[of as keyof typeof db] as object];
      return !holders.some((holder) => typeof (holder as Record<string, unknown>)[method] === "function");
    });
    // These two are of `transaction()`, and this one of `close()`.
    expect(unknown).toEqual(["isolation", "readOnly"]);
    expect(rows.filter((row) => row.at(-1) === "" || /not yet/.test(row.at(-1) ?? ""))).toEqual([]);
    await db.close();
  });
});
