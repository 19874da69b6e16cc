/**
 * Rows for SQLSTATEs that speak of the server's state: conflicts between transactions, lack of resources, damage.
 */
import type { FailureRow } from "./row.ts";

const CODES = "PostgreSQL documentation, appendix A";

/** Serialization, deadlocks, resources, internal errors. */
export const STATE_ROWS: readonly FailureRow[] = [
  {
    name: "40001",
    match: { codes: ["40001"] },
    meaning: "could not serialize with other transactions",
    blames: "contention",
    verdicts: { R: "same", T: "tx", W: "same", K: "tx" },
    source: "SERIALIZABLE write skew, at a statement and at COMMIT",
    evidence: "measured",
  },
  {
    name: "40003",
    match: { codes: ["40003"] },
    meaning: "whether the statement completed is not known",
    blames: "node",
    verdicts: { R: "same", T: "tx", W: "res", K: "res" },
    source: "CockroachDB documentation, transaction retry errors",
    evidence: "documentation",
  },
  {
    name: "40P01",
    match: { codes: ["40P01"] },
    meaning: "chosen to end a deadlock",
    blames: "contention",
    verdicts: { R: "same", T: "tx", W: "same", K: "tx" },
    source: "two transactions that lock two rows in opposite order",
    evidence: "measured",
  },
  {
    name: "53000",
    match: { codes: ["53000", "53200"] },
    meaning: "the server is out of memory or resources",
    blames: "load",
    verdicts: { C: "same slow", R: "other once", T: "tx once", W: "no", K: "res" },
    source: `${CODES}; 53200: more locks than shared memory holds`,
    evidence: "measured",
  },
  {
    name: "53100",
    match: { codes: ["53100"] },
    meaning: "the server's disk is full",
    blames: "node",
    verdicts: { C: "other", R: "other", T: "no", W: "no", K: "res" },
    source: CODES,
    evidence: "documentation",
  },
  {
    name: "53400",
    match: { codes: ["53400"] },
    meaning: "a limit of the server's configuration was reached",
    blames: "load",
    verdicts: { C: "same slow", R: "no", T: "no", W: "no", K: "no" },
    source: `${CODES}; a temporary file above temp_file_limit`,
    evidence: "measured",
  },
  {
    name: "58",
    match: { codes: ["58000", "58030", "58P01"] },
    meaning: "the server could not read or write its files",
    blames: "node",
    verdicts: { C: "other", R: "other", T: "no", W: "no", K: "res" },
    source: `${CODES}; 58P01: reading a file that is not there`,
    evidence: "measured",
  },
  {
    name: "72000",
    match: { codes: ["72000"] },
    meaning: "the snapshot is too old",
    blames: "contention",
    verdicts: { R: "same", T: "tx", W: "no" },
    source: "PostgreSQL 13 documentation, appendix A",
    evidence: "documentation",
  },
  {
    name: "XX",
    match: { codes: ["XX000", "XX001", "XX002"] },
    meaning: "internal error or corruption",
    blames: "node",
    verdicts: { C: "no", R: "other once", T: "no", W: "no", K: "res" },
    source: CODES,
    evidence: "documentation",
  },
];
