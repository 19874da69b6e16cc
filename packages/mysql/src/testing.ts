/**
 * How the conformance suite of `@breakwater/core/testing` speaks to MySQL and MariaDB.
 */
import type { ConformanceLanguage, ConformanceServer } from "@breakwater/core/testing";

/** MySQL and MariaDB, as the suite says things to them. */
export const mysqlLanguage: ConformanceLanguage = Object.freeze({
  integer: () => "CAST(? AS SIGNED)",
  string: () => "CAST(? AS CHAR)",
  value: () => "?",
  session: "CONNECTION_ID()",
  sleep: (seconds: number, mark: string) => `SELECT SLEEP(${seconds}) /* ${mark} */`,
  sleepAndInsert: (seconds: number, mark: string) =>
    `INSERT INTO conformance (id) SELECT 1 FROM (SELECT SLEEP(${seconds})) AS slept /* ${mark} */`,
  duplicateCode: "ER_DUP_ENTRY",
  syntaxCode: "ER_PARSE_ERROR",
  setMark: (value: string) => `SET @mark = '${value}'`,
  readMark: "SELECT @mark AS mark",
});

/**
 * A server for the suite. `query` asks as somebody else than the pools under test, who may see and end the connections of
 * `user`, as which these log in and nobody else does.
 */
export function mysqlServer(query: ConformanceServer["query"], user: string): ConformanceServer {
  const sessions = (mark?: string): Promise<readonly Record<string, unknown>[]> =>
    query(
      `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = ?
        AND (? IS NULL OR (COMMAND <> 'Sleep' AND INFO LIKE ?))`,
      [user, mark ?? null, `%/* ${mark} */%`],
    );
  return {
    language: mysqlLanguage,
    query,
    connections: async () => (await sessions()).length,
    runs: async (mark) => (await sessions(mark)).length > 0,
    terminate: async (mark) => {
      for (const { id } of await sessions(mark)) {
        // One that has ended by itself is gone as well.
        await query(`KILL ${Number(id)}`).catch(() => undefined);
      }
    },
  };
}
