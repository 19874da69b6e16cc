/**
 * Rows for SQLSTATEs that only a standby answers with, or nearly: what it cannot do, and when it yields to replay.
 */
import type { Verdicts } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";

/** Only the primary can do this. The refusal proves that nothing changed. */
const PRIMARY: Verdicts = { R: "prim", T: "prim", W: "prim", K: "prim" };

/** A replica yielded to replay: the same replica would yield again. */
const YIELDED: Verdicts = { B: "other", R: "other", T: "prim", W: "other", K: "tx" };

/** Read-only servers, a standby's limits, conflicts with recovery. */
export const STANDBY_ROWS: readonly FailureRow[] = [
  {
    name: "25006",
    match: { codes: ["25006"] },
    meaning: "the server or the transaction is read-only",
    blames: "statement",
    verdicts: PRIMARY,
    source: "writes, row locks, nextval, NOTIFY, LISTEN, VACUUM and xid functions on a standby",
    evidence: "measured",
  },
  {
    name: "0A000 standby",
    match: {
      codes: ["0A000"],
      // The last two check settings, of which a session can only give these a value that is not supported.
      routines: [
        "get_relation_info",
        "GetSerializableTransactionSnapshot",
        "call_enum_check_hook",
        "call_bool_check_hook",
      ],
      texts: ["during recovery", "in a hot standby"],
    },
    meaning: "a standby cannot do this",
    blames: "statement",
    verdicts: PRIMARY,
    source: "unlogged table, SERIALIZABLE and BEGIN READ WRITE on a standby",
    evidence: "measured",
  },
  {
    name: "55000 standby",
    match: { codes: ["55000"], texts: ["recovery is in progress"] },
    meaning: "a standby cannot do this",
    blames: "statement",
    verdicts: PRIMARY,
    source: "WAL position and restore point functions, lo_unlink up to PostgreSQL 15, on a standby",
    evidence: "measured",
  },
  {
    name: "XX000 standby",
    match: { codes: ["XX000"], severity: "error", texts: ["during recovery"] },
    meaning: "a standby cannot do this",
    blames: "statement",
    verdicts: PRIMARY,
    source:
      "transactional messages, large objects up to PostgreSQL 15, on a standby; internal texts are not translated",
    evidence: "measured",
  },
  {
    name: "40001 recovery",
    match: {
      // Up to PostgreSQL 15 ProcessInterrupts raises it. Neither serialization nor deadlocks are raised there.
      codes: ["40001", "40P01"],
      routines: ["ProcessInterrupts", "ProcessRecoveryConflictInterrupt", "CheckRecoveryConflictDeadlock"],
      texts: ["conflict with recovery"],
    },
    meaning: "the replica had to yield to replay",
    blames: "contention",
    verdicts: YIELDED,
    source: "VACUUM and ACCESS EXCLUSIVE locks replayed against a running read and an idle transaction",
    evidence: "measured",
  },
];
