/**
 * Rows for SQLSTATEs that speak of one statement: prepared otherwise, cancelled, kept waiting, in a failed transaction.
 */
import { WRONG } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";

/** Prepared statements, cancelling, lock limits, failed transactions. */
export const STATEMENT_ROWS: readonly FailureRow[] = [
  {
    name: "0A000 stale plan",
    match: { codes: ["0A000"], routines: ["RevalidateCachedQuery"] },
    meaning: "the prepared statement's result type changed; it did not run",
    blames: "statement",
    verdicts: { R: "same", T: "tx", W: "same once" },
    source: "named statement after ALTER TABLE",
    evidence: "measured",
  },
  {
    name: "26000",
    match: { codes: ["26000"], routines: ["FetchPreparedStatement"] },
    meaning: "the prepared statement is not known to this server connection; it did not run",
    blames: "statement",
    verdicts: { R: "same", T: "tx", W: "same once" },
    source: "named statement after DEALLOCATE",
    evidence: "measured",
  },
  {
    name: "42P05",
    match: { codes: ["42P05"], routines: ["StorePreparedStatement"] },
    meaning: "another prepared statement has this name; it did not run",
    blames: "statement",
    verdicts: { R: "same", T: "tx", W: "same once" },
    source: "named statement whose name was taken by PREPARE",
    evidence: "measured",
  },
  {
    name: "55P03",
    match: { codes: ["55P03"] },
    meaning: "a lock was not available in time",
    blames: "contention",
    verdicts: { R: "same lock", T: "tx lock", W: "same lock", K: "tx lock" },
    source: "NOWAIT and lock_timeout against a locked row",
    evidence: "measured",
  },
  {
    name: "57014 statement timeout",
    match: { codes: ["57014"], texts: ["due to statement timeout"] },
    meaning: "the server's statement timeout ended it",
    blames: "load",
    verdicts: { R: "other timeout", T: "tx timeout", W: "no", K: "no" },
    source: "statement_timeout while a read, a write and a transaction ran",
    evidence: "measured",
  },
  {
    name: "57014 user request",
    match: { codes: ["57014"], texts: ["due to user request"] },
    meaning: "cancelled by someone's request, possibly meant for another statement",
    blames: "caller",
    verdicts: { R: "same once", T: "tx once", W: "same once", K: "tx once" },
    source: "pg_cancel_backend while a read, a write and a transaction ran",
    evidence: "measured",
  },
  {
    name: "57014",
    match: { codes: ["57014"] },
    meaning: "cancelled by the server, in words that are not known here",
    blames: "load",
    verdicts: { R: "other timeout", T: "tx timeout", W: "no", K: "no" },
    source: "statement_timeout on a server that speaks Russian: only the translated text tells the kinds apart",
    evidence: "measured",
  },
  {
    name: "25P02",
    match: { codes: ["25P02"] },
    meaning: "the transaction had already failed",
    blames: "statement",
    verdicts: WRONG,
    source: "a statement after a failed one",
    evidence: "measured",
  },
];
