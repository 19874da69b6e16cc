/**
 * Rows for what the driver says of its own accord.
 */
import { LOST, WRONG } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";

const MYSQL2 = "mysql2 3.24, base/connection.js and commands";

/** mysql2's own words. */
export const DRIVER_ROWS: readonly FailureRow[] = [
  {
    name: "mysql2 closed",
    match: { starts: ["Can't add new command when connection is in closed state", "Can't write in closed state"] },
    meaning: "the connection was already lost; nothing was sent",
    blames: "node",
    // A COMMIT that was not sent means that the transaction is rolled back.
    verdicts: { C: "other", B: "other drop", R: "other drop", T: "tx drop", W: "other drop", K: "tx drop" },
    notSent: "unsent",
    source: `${MYSQL2}; a statement after the connection was killed while idle`,
    evidence: "measured",
  },
  {
    name: "mysql2 lost",
    match: { codes: ["PROTOCOL_CONNECTION_LOST"] },
    meaning: "the connection was lost",
    blames: "node",
    verdicts: LOST,
    source: `${MYSQL2}; KILL of a connection, SHUTDOWN and kill -9 while a read, a write and a transaction ran`,
    evidence: "measured",
  },
  {
    name: "mysql2 timeout",
    match: { codes: ["PROTOCOL_SEQUENCE_TIMEOUT"] },
    meaning: "not answered in time; the server may still be working",
    blames: "load",
    verdicts: { R: "other drop", T: "tx drop", W: "res drop", K: "res drop" },
    source: `${MYSQL2}; the option timeout of a statement`,
    evidence: "documentation",
  },
  {
    name: "mysql2 TLS",
    match: { codes: ["HANDSHAKE_NO_SSL_SUPPORT"] },
    meaning: "the server does not offer TLS",
    blames: "node",
    verdicts: { C: "no" },
    notSent: "connect",
    source: `${MYSQL2}; ssl: {} against a server without TLS`,
    evidence: "measured",
  },
  {
    name: "mysql2 TLS broke",
    match: { codes: ["HANDSHAKE_SSL_ERROR"] },
    meaning: "TLS could not be agreed on",
    blames: "node",
    verdicts: { C: "other once" },
    notSent: "connect",
    source: MYSQL2,
    evidence: "documentation",
  },
  {
    name: "mysql2 login",
    match: { prefixes: ["AUTH_SWITCH_"] },
    meaning: "the client and the server cannot agree on a login",
    blames: "caller",
    verdicts: { C: "no", B: "no" },
    notSent: "connect",
    source: MYSQL2,
    evidence: "documentation",
  },
  {
    name: "mysql2 broken protocol",
    match: { prefixes: ["PROTOCOL_", "HANDSHAKE_"] },
    meaning: "the server's answers are out of step",
    blames: "node",
    verdicts: { ...LOST, R: "other drop once", T: "tx drop once" },
    source: MYSQL2,
    evidence: "documentation",
  },
  {
    name: "mysql2 wrong use",
    match: { starts: ["Bind parameters must "] },
    meaning: "the call makes no sense to the driver; nothing was sent",
    blames: "caller",
    verdicts: WRONG,
    notSent: "unsent",
    source: `${MYSQL2}; undefined or a function as a parameter`,
    evidence: "measured",
  },
];
