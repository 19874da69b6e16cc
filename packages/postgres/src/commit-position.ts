/**
 * The position of a commit, asked for in the same message.
 */
import type { CommitPosition, HistoryPoint, QueryResult } from "@breakwater/core";
import { parseLsn } from "./position.ts";

/**
 * After a synchronous commit everything up to the write position includes it. With `synchronous_commit` off the commit
 * may not have been written yet, and only the insert position is sure to lie behind it.
 */
const POSITION = `SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline,
  (CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_lsn() END)::text AS position`;

export const commitPosition: CommitPosition = Object.freeze({
  questionText: POSITION,

  read(answer: QueryResult): HistoryPoint | undefined {
    const results: readonly QueryResult[] = Array.isArray(answer) ? (answer as readonly QueryResult[]) : [answer];
    const row = results.at(-1)?.rows[0] as { readonly timeline?: string; readonly position?: string } | undefined;
    if (row?.timeline === undefined || row.position === undefined) return undefined;
    const position = parseLsn(row.position);
    return position === undefined ? undefined : { timeline: Number.parseInt(row.timeline, 16), position };
  },
});
