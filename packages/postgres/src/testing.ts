/**
 * How the conformance suite speaks to PostgreSQL.
 */
import type { ConformanceLanguage, ConformanceServer } from "@breakwater/core/testing";

/** How the suite's statements read in PostgreSQL. */
export const postgresLanguage: ConformanceLanguage = Object.freeze({
  integer: (n: number) => `$${n}::int`,
  string: (n: number) => `$${n}::text`,
  value: (n: number) => `$${n}`,
  session: "pg_backend_pid()",
  sleep: (seconds: number, mark: string) => `SELECT pg_sleep(${seconds}) /* ${mark} */`,
  sleepAndInsert: (seconds: number, mark: string) =>
    `INSERT INTO conformance (id) SELECT 1 FROM pg_sleep(${seconds}) /* ${mark} */`,
  duplicateCode: "23505",
  syntaxCode: "42601",
  setMark: (value: string) => `SET conformance.mark = '${value}'`,
  readMark: "SELECT current_setting('conformance.mark') AS mark",
  forgetPrepared: "DEALLOCATE ALL",
  createDeferred: "CREATE TABLE deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)",
  limit: {
    read: "SELECT setting AS t FROM pg_settings WHERE name = 'statement_timeout'",
    setDefault: (ms: number | undefined) =>
      ms === undefined
        ? "ALTER ROLE CURRENT_USER RESET statement_timeout"
        : `ALTER ROLE CURRENT_USER SET statement_timeout = ${ms}`,
  },
});

/**
 * A PostgreSQL server for the conformance suite. `query` asks it as an administrator, who has the role of the pools under
 * test; these call themselves `application` (`application_name`), and nobody else does.
 */
export function postgresServer(query: ConformanceServer["query"], application: string): ConformanceServer {
  const those = "FROM pg_stat_activity WHERE application_name = $1 AND backend_type = 'client backend'";
  return {
    language: postgresLanguage,
    query,
    connections: async () => Number((await query(`SELECT count(*) AS n ${those}`, [application]))[0]?.["n"]),
    runs: async (mark) =>
      (await query(`SELECT 1 ${those} AND state = 'active' AND query LIKE $2`, [application, like(mark)])).length > 0,
    terminate: async (mark) => {
      await query(`SELECT pg_terminate_backend(pid, 5000) ${those} AND ($2 = '' OR query LIKE $3)`, [
        application,
        mark ?? "",
        like(mark ?? ""),
      ]);
    },
  };
}

function like(mark: string): string {
  return `%/* ${mark} */%`;
}
