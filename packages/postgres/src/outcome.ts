/**
 * What became of a transaction whose COMMIT was not answered.
 *
 * PostgreSQL numbers transactions and remembers how each one ended (`pg_xact_status`). A number is proof only within one
 * life of a server: what had not reached the log before a crash or a promotion is forgotten together with its number, and
 * the number is given out again. So `committed` counts only from the same life. `aborted` also counts from every later
 * life of the same history, since a commit that was kept would have kept its number. A standby and a primary of an older
 * history prove nothing: what they have not seen may well exist.
 */
import {
  type Connection,
  noteFailure,
  type Outcome,
  type QueryResult,
  type RetryAdvice,
  type TransactionIdentity,
  type TransactionResolution,
} from "@breakwater/core";
import { type Life, LIVES, readLife, relate } from "./life.ts";
import { withLimit } from "./texts.ts";

/** Not allowed, not there, not supported: what a lesser question gets around. Providers revoke more than PostgreSQL does. */
export const LESSER: ReadonlySet<string> = new Set(["42501", "42883", "42703", "0A000"]);

/**
 * A connection does not outlive its server's life, and becomes a primary's before it can write. Behind a pooler that nobody
 * has told of it does, and then another process serves it.
 */
const incarnations = new WeakMap<object, { readonly incarnation: string; readonly pid: unknown }>();

const IDENTITY = "SELECT pg_current_xact_id()::text AS id, pg_backend_pid()::text AS pid";

export const resolution: TransactionResolution = Object.freeze({
  identityText: IDENTITY,
  identityAndLimit: (ms: number) => withLimit(IDENTITY, ms),

  async incarnation(connection: Connection): Promise<string> {
    const known = incarnations.get(connection.driver as object)?.incarnation;
    if (known !== undefined) return known;
    const [row] = await leastRefused(connection, (life) => ({
      text: `SELECT ${life} AS incarnation, pg_backend_pid()::text AS pid`,
    }));
    const incarnation = typeof row?.["incarnation"] === "string" ? row["incarnation"] : "";
    incarnations.set(connection.driver as object, { incarnation, pid: row?.["pid"] });
    return incarnation;
  },

  known: (connection: Connection) => incarnations.get(connection.driver as object)?.incarnation,

  identity(
    begun: QueryResult,
    incarnation: string,
    connection: Connection,
  ): Omit<TransactionIdentity, "node"> | undefined {
    const results: readonly QueryResult[] = Array.isArray(begun) ? (begun as readonly QueryResult[]) : [begun];
    const row = results.at(-1)?.rows[0] as { readonly id?: string; readonly pid?: string } | undefined;
    if (row?.id === undefined) return undefined;
    const known = incarnations.get(connection.driver as object);
    const served = known?.pid === undefined || known.pid === row.pid;
    // In whose life it runs is not known; then nothing is proved by its number.
    return { id: row.id, processId: Number(row.pid), incarnation: served ? incarnation : "" };
  },

  async outcome(primary: Connection, { id, incarnation }: TransactionIdentity): Promise<Outcome> {
    let answer = await ask(primary, id);
    // Over, but not below the bound of the snapshot that was taken before the look at the locks: it may have ended in
    // between. If it still is above the bound of a second snapshot, the number has never been given out in this life.
    if (answer.status === "unseen") answer = await ask(primary, id);
    return outcomeOf(answer.status, readLife(incarnation), readLife(answer.life));
  },

  async end(primary: Connection, { id, processId }: TransactionIdentity): Promise<void> {
    // The process may have gone on to another transaction; only one that still has this number is ended. One that waits
    // for a synchronous standby has committed already: ending it would only end the wait, and leave it not replicated.
    const text = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE pid = $1 AND backend_xid = $2::text::xid8::xid AND wait_event IS DISTINCT FROM 'SyncRep'`;
    await primary.query({ text, values: [processId, id] });
  },
});

/**
 * Whoever runs, or is prepared, holds the lock of its number until its end is on record; `pg_locks` shows it to every role.
 * What is over has a status, which `pg_xact_status` refuses for numbers that were never given out. A standby answers with
 * nulls; promotion goes one way, so whoever was no standby a moment ago is none.
 */
function question(life: string): string {
  return `SELECT CASE WHEN NOT pg_is_in_recovery() THEN ${life} END AS life,
    CASE WHEN NOT pg_is_in_recovery() THEN coalesce(
      (SELECT CASE WHEN pid IS NULL THEN 'prepared' ELSE 'in progress' END FROM pg_locks
        WHERE locktype = 'transactionid' AND transactionid = $1::text::xid8::xid AND mode = 'ExclusiveLock' AND granted),
      CASE WHEN $1::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN 'unseen'
        ELSE pg_xact_status($1::text::xid8) END) END AS status`;
}

/** @throws an error that has the router look again when the node is a standby. */
async function ask(primary: Connection, id: string): Promise<{ readonly status: unknown; readonly life: string }> {
  const [row] = await leastRefused(primary, (text) => ({ text: question(text), values: [id] }));
  const life = row?.["life"];
  if (typeof life !== "string") throw wrongNode("the node asked for an outcome is a standby", "primary");
  return { status: row?.["status"], life };
}

/** @throws an error that has the router look again when the answer comes from the wrong place. */
function outcomeOf(status: unknown, then: Life, now: Life): Outcome {
  const relation = relate(then, now);
  if (relation === "stale") throw wrongNode("the node asked for an outcome has an older history", "other-node");
  if (relation === "foreign") throw wrongNode("the node asked for an outcome belongs to another cluster", "other-node");
  // It waits for somebody to say which, and outlives restarts and promotions.
  if (status === "prepared") return "in-progress";
  if (status === "committed") return relation === "same" ? "committed" : "unprovable";
  if (relation === "unrelated") return "unprovable";
  if (status === "aborted" || status === "unseen") return "rolled-back";
  // Null: so old that the server has cleaned up after it.
  if (status !== "in progress") return "unprovable";
  // Whatever runs under the number in a process of another start is somebody else's.
  return then.started === now.started ? "in-progress" : "rolled-back";
}

function wrongNode(reason: string, retry: RetryAdvice): Error {
  const error = new Error(reason);
  noteFailure(error, { phase: "running", effect: "none", retry, blames: "node", connection: "keep", reason });
  return error;
}

/** Asks for all that the role may know of the server's life. */
async function leastRefused(
  connection: Connection,
  statement: (life: string) => { readonly text: string; readonly values?: readonly unknown[] },
): Promise<readonly Record<string, unknown>[]> {
  for (const [level, life] of LIVES.entries()) {
    try {
      return (await connection.query(statement(life))).rows;
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (level === LIVES.length - 1 || !LESSER.has(String(code))) throw error;
    }
  }
  return [];
}
