/**
 * The questions to a server. Each reads only, on PostgreSQL 13 and later; one that a role may not ask leaves the others.
 */

import { identifier, literal } from "./change.ts";

/** For every server, by name. Times are numbers, so that no setting of the session changes how they are written. */
export const QUESTIONS = {
  settings: `SELECT name, setting AS value, unit, source, context, pending_restart AS pending FROM pg_settings`,

  role: `SELECT r.rolsuper AS superuser, r.rolconnlimit AS role_limit, d.datconnlimit AS database_limit,
      pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE') AS monitors
    FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()`,

  // Of the sessions of others, a role without pg_read_all_stats sees little more than that they are there.
  activity: `SELECT count(*) FILTER (WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)) AS connections,
      max(extract(epoch FROM clock_timestamp() - xact_start)) FILTER (WHERE theirs) AS oldest,
      (array_agg(pid ORDER BY xact_start) FILTER (WHERE theirs AND xact_start IS NOT NULL))[1] AS oldest_pid,
      max(extract(epoch FROM clock_timestamp() - state_change)) FILTER (WHERE theirs AND idle) AS idle,
      (array_agg(pid ORDER BY state_change) FILTER (WHERE theirs AND idle))[1] AS idle_pid
    FROM (SELECT *, backend_type = 'client backend' AND pid <> pg_backend_pid() AS theirs,
      state LIKE 'idle in transaction%' AS idle FROM pg_stat_activity) AS a`,

  prepared: `SELECT count(*) AS count, max(extract(epoch FROM clock_timestamp() - prepared)) AS oldest,
      (array_agg(gid ORDER BY prepared))[1] AS gid FROM pg_prepared_xacts`,

  // A slot that a standby keeps in step with its primary's is never active there.
  slots: `SELECT slot_name AS name, active, wal_status,
      pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint::text AS retained
    FROM pg_replication_slots s WHERE NOT temporary AND coalesce(to_jsonb(s)->>'synced', 'false') = 'false'`,

  senders: `SELECT application_name AS application, state FROM pg_stat_replication
    WHERE coalesce(application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal') ORDER BY application_name`,

  conflicts: "SELECT conflicts FROM pg_stat_database WHERE datname = current_database()",

  age: `SELECT datname AS database, age(datfrozenxid) AS transactions, mxid_age(datminmxid) AS multixacts
    FROM pg_database ORDER BY greatest(age(datfrozenxid), mxid_age(datminmxid)) DESC LIMIT 1`,

  archiver: `SELECT failed_count AS failed,
      last_failed_time IS NOT NULL AND last_failed_time > coalesce(last_archived_time, '-infinity') AS failing
    FROM pg_stat_archiver`,

  trusts: `SELECT line_number AS line, address FROM pg_hba_file_rules
    WHERE auth_method = 'trust' AND type LIKE 'host%' AND NOT (coalesce(address, '') LIKE '127.%' OR address IN ('::1', 'localhost', 'samehost'))`,
} as const;

export type Question = keyof typeof QUESTIONS;

/** Asked first, to learn who answers, and by whose clock. */
export const WHO = `SELECT current_setting('server_version_num') AS version, current_setting('server_version') AS text,
    current_user AS "user", current_database() AS database, pg_backend_pid() AS pid,
    (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS started,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS now,
    coalesce(inet_server_addr()::text, '') || ':' || coalesce(inet_server_port(), 0) AS address`;

/** Only of a replica: a primary refuses it. */
export const REPLAY = `SELECT (SELECT count(*) FROM pg_stat_wal_receiver) AS receivers,
    (SELECT status FROM pg_stat_wal_receiver) AS status, pg_is_wal_replay_paused() AS paused`;

/** Whether a table is there, and the role may use it. Parts of its name are divided by dots, as the ledger takes them. */
export function ledgerQuestion(name: string): string {
  const table = `to_regclass(${literal(name.split(".").map(identifier).join("."))})`;
  return `SELECT ${table} IS NOT NULL AS there,
    coalesce(has_table_privilege(${table}, 'SELECT') AND has_table_privilege(${table}, 'INSERT')
      AND has_table_privilege(${table}, 'UPDATE'), false) AS allowed`;
}
