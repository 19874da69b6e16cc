/**
 * Asks a node for its role, cluster, timeline and position, in one round trip, on PostgreSQL 13 and later, as any role.
 */
import type { Connection, NodeState } from "@breakwater/core";

import { parseLsn } from "./position.ts";

/**
 * Promotion turns a standby into a primary, never the reverse while the server runs: whoever saw "in recovery" may still
 * ask the replay position, whoever did not may ask the write position. So each is asked inside the CASE, not before it.
 */
const POSITION = "case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end::text";

/** A primary's own: the control file keeps the old timeline until the first checkpoint after a promotion. */
const PRIMARY_TIMELINE = "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int";

/**
 * A standby's: the control file is as old as the last restartpoint, the receiver tells nothing when it is not running
 * or to a role without pg_read_all_stats. The greatest is the newest that the standby is known to have followed.
 */
const STANDBY_TIMELINE = `greatest((select timeline_id from pg_control_checkpoint()),
    (select min_recovery_end_timeline from pg_control_recovery()), (select received_tli from pg_stat_wal_receiver))`;

/** From everything to the least. Hosting providers revoke functions that PostgreSQL itself lets everyone call. */
const TEXTS: readonly string[] = [
  `select pg_is_in_recovery()::text as recovering, (select system_identifier::text from pg_control_system()) as system,
    case when pg_is_in_recovery() then ${STANDBY_TIMELINE} else ${PRIMARY_TIMELINE} end::text as timeline,
    ${POSITION} as position`,
  `select pg_is_in_recovery()::text as recovering, null as system,
    case when pg_is_in_recovery() then (select received_tli from pg_stat_wal_receiver)
      else ${PRIMARY_TIMELINE} end::text as timeline,
    ${POSITION} as position`,
  `select pg_is_in_recovery()::text as recovering, null as system, null as timeline, ${POSITION} as position`,
  "select pg_is_in_recovery()::text as recovering, null as system, null as timeline, null as position",
];

/** Not allowed, not there, not supported, not in this state: what a lesser question gets around. */
const LESSER = new Set(["42501", "42883", "42703", "0A000", "55000"]);

/** How little each driver's connection was found to be told, so that the next probe takes one round trip again. */
const asked = new WeakMap<object, number>();

interface Row {
  readonly recovering: unknown;
  readonly system: unknown;
  readonly timeline: unknown;
  readonly position: unknown;
}

/**
 * The node's role, cluster identifier, timeline and position. What the role may not ask is undefined.
 * @throws the driver's error when the node does not answer.
 */
export async function probe(connection: Connection): Promise<NodeState> {
  const key = objectOf(connection.driver) ?? connection;
  for (let level = asked.get(key) ?? 0; ; level++) {
    try {
      const { rows } = await connection.query<Row>({ text: TEXTS[level] ?? "select pg_is_in_recovery()" });
      return stateOf(rows[0]);
    } catch (error) {
      if (level === TEXTS.length - 1 || !LESSER.has(codeOf(error))) throw error;
      asked.set(key, level + 1);
    }
  }
}

function stateOf(row: Row | undefined): NodeState {
  const timeline = Number(row?.timeline ?? Number.NaN);
  return {
    role: row?.recovering === "false" ? "primary" : "replica",
    systemId: typeof row?.system === "string" ? row.system : undefined,
    timeline: Number.isSafeInteger(timeline) ? timeline : undefined,
    position: typeof row?.position === "string" ? parseLsn(row.position) : undefined,
  };
}

function objectOf(value: unknown): object | undefined {
  return typeof value === "object" && value !== null ? value : undefined;
}

function codeOf(error: unknown): string {
  return String((error as { readonly code?: unknown } | null | undefined)?.code);
}
