/**
 * The last rows for SQLSTATEs: those that no other row names, by how bad the server says it is.
 */
import { LOST, WRONG } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";

/** What remains of the SQLSTATEs. */
export const FALLBACK_ROWS: readonly FailureRow[] = [
  {
    name: "SQLSTATE",
    match: { sqlstate: true, severity: "error" },
    meaning: "the server refused the statement",
    blames: "statement",
    verdicts: WRONG,
    source: "an ERROR ends the statement without any effect: 23505, 22P02, 42P01, P0001",
    evidence: "measured",
  },
  {
    name: "user code, severity untold",
    match: {
      prefixes: ["22", "23", "42", "44", "P0", "21", "2F", "34", "38", "39"],
      sqlstate: true,
      severity: "unknown",
    },
    meaning: "the server refused the statement",
    blames: "statement",
    verdicts: WRONG,
    proof: "these classes are about the statement and never end a connection that is established",
    source: "PostgreSQL documentation, appendix A; the word for ERROR was in no known language",
    evidence: "documentation",
  },
  {
    name: "startup parameter",
    match: { prefixes: ["22", "42"], sqlstate: true, severity: "fatal" },
    meaning: "the server refused a setting of the connection",
    blames: "caller",
    verdicts: { ...LOST, C: "no" },
    source: "connecting with an unknown option: FATAL 42704",
    evidence: "measured",
  },
  {
    name: "SQLSTATE, connection ended",
    match: { sqlstate: true },
    meaning: "the server ended the connection",
    blames: "node",
    verdicts: LOST,
    source: "PostgreSQL documentation, message severity levels: FATAL aborts the session",
    evidence: "documentation",
  },
];
