/**
 * Rows for PgBouncer, which says everything in 08P01 and FATAL. What it says to a client that waits for a server
 * connection proves that the statement was not forwarded; what it says while one is in use proves nothing.
 */
import { LOST, REFUSED, WRONG } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";

/** PgBouncer's refusals, by text: they are not translated. */
export const POOLER_ROWS: readonly FailureRow[] = [
  {
    name: "pgbouncer waiting",
    match: {
      codes: ["08P01"],
      starts: [
        "query_wait_timeout",
        "query_timeout",
        "client_login_timeout",
        "server login has been failing",
        "server login failed",
        "pgbouncer cannot connect to server",
        "server shutting down",
        "pooler is shutting down",
        "pgbouncer is shutting down",
        "the pooler is shutting down",
        "pause failed",
        "suspend_timeout",
      ],
    },
    meaning: "the pooler had no server connection for the call; it was not forwarded",
    blames: "node",
    verdicts: REFUSED,
    notSent: "acquire",
    source:
      "PgBouncer 1.18: calls that waited in vain, a server that was down; sources of 1.25: said to waiting clients alone",
    evidence: "measured",
  },
  {
    name: "pgbouncer full",
    match: {
      codes: ["08P01"],
      starts: ["no more connections allowed", "client connections exceeded", "bouncer resources exhaustion"],
    },
    meaning: "the pooler has as many clients as it may have",
    blames: "load",
    verdicts: { C: "same slow", B: "same slow", R: "same slow drop", T: "tx slow drop", W: "same slow drop" },
    notSent: "connect",
    source: "PgBouncer 1.18: more clients than max_client_conn; sources of 1.25: checked at login",
    evidence: "measured",
  },
  {
    name: "pgbouncer refused",
    match: {
      codes: ["08P01"],
      starts: [
        "bouncer config error",
        "no such database",
        "no such user",
        "not allowed",
        "SASL authentication failed",
        "password authentication failed",
        "unsupported startup parameter",
        "unsupported options startup parameter",
        "SSL required",
        "login rejected",
      ],
    },
    meaning: "the pooler refused the login",
    blames: "caller",
    verdicts: WRONG,
    source: "PgBouncer 1.18: an unknown database; sources of 1.25, client.c: said before the login is complete",
    evidence: "measured",
  },
  {
    name: "pgbouncer knows no such statement",
    match: { codes: ["08P01"], starts: ["prepared statement did not exist"] },
    meaning: "the prepared statement is not known to the pooler; it did not run",
    blames: "statement",
    verdicts: { R: "same drop", T: "tx drop", W: "same drop once" },
    proof: "the pooler looks the name up before it forwards anything of the statement",
    source: "PgBouncer 1.24: Bind and Describe of a name that was never prepared",
    evidence: "measured",
  },
  {
    name: "pgbouncer lost its server",
    match: {
      codes: ["08P01"],
      starts: [
        "server conn crashed?",
        "query timeout",
        "idle transaction timeout",
        "transaction timeout",
        "server connection closed",
        "admin forced disconnect",
        "client_idle_timeout",
      ],
    },
    meaning: "the pooler lost or gave up the server connection",
    blames: "node",
    verdicts: LOST,
    source: "PgBouncer 1.18: killed server process, query_timeout, idle_transaction_timeout",
    evidence: "measured",
  },
];
