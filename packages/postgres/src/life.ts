/**
 * One uninterrupted life of one server, as a text that is equal for two transactions only if no number can have been
 * given out twice between them.
 *
 * - A restart changes the postmaster's start.
 * - A crash of one process keeps that, but resets the statistics (documentation, "The Cumulative Statistics System": "when
 *   the server … crashes, all statistics counters are reset"). So does a superuser's `pg_stat_reset_shared('bgwriter')`,
 *   which therefore reads as a crash: less is proved, nothing wrong.
 * - A promotion changes the timeline, which also tells which of two primaries has the older history.
 */

/** What is known of a life; undefined where the role may not ask. */
export interface Life {
  /** When the postmaster started, in microseconds since 1970. */
  readonly started: string | undefined;
  /** When the statistics were reset, in microseconds since 1970. */
  readonly reset: string | undefined;
  readonly timeline: number | undefined;
  readonly system: string | undefined;
}

/** In microseconds, not as text: the text of a time depends on the session's time zone. */
const STARTED = micros("pg_postmaster_start_time()");
const RESET = `coalesce((SELECT ${micros("stats_reset")} FROM pg_stat_bgwriter), '')`;
const TIMELINE = "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";
const SYSTEM = "(SELECT system_identifier::text FROM pg_control_system())";

/** SQL for the text of a life on a primary, from everything to what no provider refuses. */
export const LIVES: readonly string[] = [
  [STARTED, RESET, TIMELINE, SYSTEM],
  [STARTED, RESET, TIMELINE],
  [STARTED, RESET],
  [STARTED],
].map((parts) => parts.join(" || '/' || "));

function micros(time: string): string {
  return `(extract(epoch FROM ${time}) * 1000000)::bigint::text`;
}

/** Reads what one of {@link LIVES} answered. */
export function readLife(text: string): Life {
  const [started, reset, timeline, system] = text.split("/").map((part) => (part === "" ? undefined : part));
  return { started, reset, timeline: timeline === undefined ? undefined : Number.parseInt(timeline, 16), system };
}

/**
 * How the life in which a question is answered stands to the one in which a transaction ran: the same; a later one of the
 * same history; of an older history; of another cluster; nobody can tell.
 */
export type Relation = "same" | "later" | "stale" | "foreign" | "unrelated";

export function relate(then: Life, now: Life): Relation {
  if (then.system !== undefined && now.system !== undefined && then.system !== now.system) return "foreign";
  const comparable = then.timeline !== undefined && now.timeline !== undefined;
  if (comparable && now.timeline < then.timeline) return "stale";
  if (then.started === undefined) return "unrelated";
  if (then.started === now.started) return then.reset !== undefined && then.reset === now.reset ? "same" : "later";
  return comparable ? "later" : "unrelated";
}
