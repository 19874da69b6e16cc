/**
 * Rows for what the server answers to statements: conflicts, limits, roles, lack of resources, and what is left.
 */
import { WRONG } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";

const MYSQL = "MySQL 8.4 error reference";
const MARIADB = "MariaDB error codes";

/** Where nothing was run because another node has to. */
const TO_PRIMARY = { C: "other", B: "other", R: "prim", T: "prim", W: "prim", K: "prim" } as const;

/** Answers to statements, the particular ones first. */
export const STATEMENT_ROWS: readonly FailureRow[] = [
  {
    name: "1213",
    match: { numbers: [1213, 1613, 1614] },
    meaning: "chosen to end a deadlock",
    blames: "contention",
    verdicts: { R: "same", T: "tx", W: "same", K: "tx" },
    source: "two transactions that lock two rows in opposite order; the whole transaction is rolled back",
    evidence: "measured",
  },
  {
    name: "1205",
    match: { numbers: [1205] },
    meaning: "waited too long for a lock",
    blames: "contention",
    // Only the statement is undone, unless innodb_rollback_on_timeout is on: what a retry runs again is the whole.
    verdicts: { R: "same", T: "tx", W: "same", K: "tx" },
    source: "innodb_lock_wait_timeout behind a lock that is held",
    evidence: "measured",
  },
  {
    name: "3572",
    match: { numbers: [3572] },
    meaning: "a lock is not to be had at once",
    blames: "contention",
    verdicts: { R: "same lock", T: "tx lock", W: "same lock" },
    source: `${MYSQL}, ER_LOCK_NOWAIT`,
    evidence: "documentation",
  },
  {
    name: "1020",
    match: { numbers: [1020, 1412, 1689] },
    meaning: "what was read has been changed since",
    blames: "contention",
    verdicts: { R: "same", T: "tx", W: "same", K: "tx" },
    source: `${MARIADB}, ER_CHECKREAD with innodb_snapshot_isolation; ER_TABLE_DEF_CHANGED by an ALTER after the snapshot`,
    evidence: "measured",
  },
  {
    name: "3101",
    match: { numbers: [3101] },
    meaning: "rolled back when it was to be committed, by other transactions of the group",
    blames: "contention",
    verdicts: { R: "same", T: "tx", W: "same", K: "tx" },
    source: `${MYSQL}, ER_TRANSACTION_ROLLBACK_DURING_COMMIT`,
    evidence: "documentation",
  },
  {
    name: "1290 read only",
    match: { numbers: [1290], texts: ["read-only", "read_only"] },
    meaning: "the node is read only",
    blames: "statement",
    verdicts: TO_PRIMARY,
    source: "INSERT, DDL and START TRANSACTION READ WRITE at a replica; COMMIT after SET GLOBAL read_only",
    evidence: "measured",
  },
  {
    name: "1792",
    match: { numbers: [1792, 1836] },
    meaning: "the transaction or the node is read only",
    blames: "statement",
    verdicts: TO_PRIMARY,
    source: "an INSERT in a READ ONLY transaction",
    evidence: "measured",
  },
  {
    name: "1317",
    match: { numbers: [1317, 1028, 1078] },
    meaning: "the statement was interrupted",
    blames: "load",
    verdicts: { R: "same once", T: "tx once", W: "same once", K: "res" },
    source: "KILL QUERY while a read, a write and a transaction ran",
    evidence: "measured",
  },
  {
    name: "1969",
    match: { numbers: [1969, 3024] },
    meaning: "the statement ran longer than the server allows",
    blames: "load",
    verdicts: { R: "other timeout", T: "tx timeout", W: "no", K: "res" },
    source: "max_statement_time (1969, MariaDB); max_execution_time (3024, MySQL)",
    evidence: "measured",
  },
  {
    name: "1637",
    match: { numbers: [1637] },
    meaning: "too many transactions at once",
    blames: "load",
    verdicts: { R: "same slow", T: "tx slow", W: "same slow" },
    source: `${MYSQL}, ER_TOO_MANY_CONCURRENT_TRXS`,
    evidence: "documentation",
  },
  {
    name: "1461",
    match: { numbers: [1461] },
    meaning: "the server holds too many prepared statements",
    blames: "load",
    verdicts: { R: "same slow drop", T: "tx slow drop", W: "same slow drop" },
    source: "max_prepared_stmt_count",
    evidence: "measured",
  },
  {
    name: "1243",
    match: { numbers: [1243, 1615] },
    meaning: "the server does not know the prepared statement, or has to prepare it anew",
    blames: "node",
    verdicts: { R: "same drop once", T: "tx drop once", W: "same drop once" },
    source: `${MYSQL}, ER_UNKNOWN_STMT_HANDLER, ER_NEED_REPREPARE`,
    evidence: "documentation",
  },
  {
    name: "1180",
    match: { numbers: [1180, 3100] },
    meaning: "the server failed while it committed",
    blames: "node",
    verdicts: { R: "no", T: "res drop", W: "res drop", K: "res drop" },
    source: `${MYSQL}, ER_ERROR_DURING_COMMIT`,
    evidence: "documentation",
  },
  {
    name: "memory",
    match: { numbers: [1037, 1038, 1041] },
    meaning: "the server is out of memory",
    blames: "load",
    verdicts: { C: "same slow", R: "other once", T: "tx once", W: "no", K: "res" },
    source: `${MYSQL}, ER_OUTOFMEMORY, ER_OUT_OF_SORTMEMORY, ER_OUT_OF_RESOURCES`,
    evidence: "documentation",
  },
  {
    name: "storage",
    match: { numbers: [1021, 1026, 1030, 1034, 1035, 1194, 1195, 1712] },
    meaning: "the server could not read or write its files",
    blames: "node",
    verdicts: { C: "other", R: "other once", T: "no", W: "no", K: "res" },
    source: `${MYSQL}, ER_DISK_FULL, ER_ERROR_ON_WRITE, ER_GET_ERRNO and others`,
    evidence: "documentation",
  },
  {
    name: "server",
    match: { server: true },
    meaning: "the server refused the statement",
    blames: "statement",
    verdicts: WRONG,
    source: "1062, 1064, 1146, 1406, 1451, 1644: an ERR packet ends the statement without any effect on InnoDB tables",
    evidence: "measured",
  },
];
