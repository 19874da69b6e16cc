/**
 * What became of a transaction whose COMMIT was not answered.
 *
 * PostgreSQL numbers transactions and remembers how each one ended (`pg_xact_status`, since 10). A number is proof only
 * within one life of a server: what had not reached the log before a crash or a promotion is forgotten together with its
 * number, and the number is given out again. So the answer `committed` counts only from the same incarnation; every other
 * answer counts from any later primary, since a commit that was kept would have kept its number.
 */
import type { Connection, Outcome, QueryResult, TransactionIdentity, TransactionResolution } from "@breakwater/core";

/**
 * One life of one server. A restart changes its start, a crash of one of its processes resets its statistics
 * (documentation, 27.2: "when the server … crashes, all statistics counters are reset"), a promotion changes the timeline.
 */
const INCARNATION = `pg_postmaster_start_time()::text || '/' ||
  coalesce((select stats_reset from pg_stat_bgwriter)::text, '') || '/' ||
  substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`;

/** "transaction ID … is in the future": the server has never given out the number, or has forgotten it. */
const IN_THE_FUTURE = "22023";

/** A connection does not outlive its server's incarnation, and becomes a primary's before it can write. */
const incarnations = new WeakMap<object, string>();

export const resolution: TransactionResolution = Object.freeze({
  identityText: "SELECT pg_current_xact_id()::text AS id, pg_backend_pid()::text AS pid",

  async incarnation(connection: Connection): Promise<string> {
    const key = connection.driver as object;
    const known = incarnations.get(key);
    if (known !== undefined) return known;
    const { rows } = await connection.query<{ incarnation: string }>({ text: `SELECT ${INCARNATION} AS incarnation` });
    const incarnation = rows[0]?.incarnation ?? "";
    incarnations.set(key, incarnation);
    return incarnation;
  },

  identity(begun: QueryResult, incarnation: string): Omit<TransactionIdentity, "node"> | undefined {
    const results: readonly QueryResult[] = Array.isArray(begun) ? (begun as readonly QueryResult[]) : [begun];
    const row = results.at(-1)?.rows[0] as { readonly id?: string; readonly pid?: string } | undefined;
    if (row?.id === undefined) return undefined;
    return { id: row.id, processId: Number(row.pid), incarnation };
  },

  async outcome(primary: Connection, transaction: TransactionIdentity): Promise<Outcome> {
    const asked = await ask(primary, transaction.id);
    const sameLife = asked.incarnation === transaction.incarnation;
    if (asked.status === "committed") return sameLife ? "committed" : "unprovable";
    if (asked.status === "in progress") return sameLife ? "in-progress" : "rolled-back";
    // Null: so old that the server has cleaned up after it. That cannot happen to a transaction of this life's minutes.
    if (asked.status === null) return "unprovable";
    return "rolled-back";
  },

  async end(primary: Connection, { id, processId }: TransactionIdentity): Promise<void> {
    // The process may have gone on to another transaction; only one that still has this number is ended.
    const text =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_xid = $2::text::xid8::xid";
    await primary.query({ text, values: [processId, id] });
  },
});

async function ask(primary: Connection, id: string): Promise<{ status: string | null; incarnation: string }> {
  try {
    const text = `SELECT pg_xact_status($1::text::xid8) AS status, ${INCARNATION} AS incarnation`;
    const { rows } = await primary.query<{ status: string | null; incarnation: string }>({ text, values: [id] });
    return rows[0] ?? { status: null, incarnation: "" };
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== IN_THE_FUTURE) throw error;
    return { status: "aborted", incarnation: "" };
  }
}
