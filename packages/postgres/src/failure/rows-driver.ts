/**
 * Rows for what drivers say of their own accord: pg's messages, which have no code, and postgres.js's codes.
 */
import { LOST, REFUSED, WRONG } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";

const PG = "pg 8.23, client.js and query.js";
const POOL = "pg-pool 3.14, index.js";
const POSTGRES_JS = "postgres.js, README, errors";

/** Never sent: a read and a write go elsewhere; a COMMIT that was not sent means that the transaction is rolled back. */
const NOT_QUERYABLE = {
  C: "other",
  B: "other drop",
  R: "other drop",
  T: "tx drop",
  W: "other drop",
  K: "tx drop",
} as const;

/** Messages of pg and pg-pool, codes of postgres.js. */
export const DRIVER_ROWS: readonly FailureRow[] = [
  {
    name: "pg not queryable",
    match: {
      starts: [
        "Client has encountered a connection error and is not queryable",
        "Client was closed and is not queryable",
      ],
    },
    meaning: "the connection was already lost; nothing was sent",
    blames: "node",
    verdicts: NOT_QUERYABLE,
    notSent: "unsent",
    source: `${PG}; a statement after the connection was terminated while idle`,
    evidence: "measured",
  },
  {
    name: "pg no connection in time",
    match: { starts: ["Connection terminated due to connection timeout", "timeout expired"] },
    meaning: "no connection within the time for connecting",
    blames: "node",
    verdicts: REFUSED,
    notSent: "connect",
    source: `${PG}; a listener that accepts and stays silent`,
    evidence: "measured",
  },
  {
    name: "pg connection lost",
    match: { starts: ["Connection terminated"] },
    meaning: "the connection was lost",
    blames: "node",
    verdicts: LOST,
    source: `${PG}; killed backend, immediate stop, dropped reply to COMMIT`,
    evidence: "measured",
  },
  {
    name: "pg pool exhausted",
    match: { starts: ["timeout exceeded when trying to connect"] },
    meaning: "no connection of the pool became free in time",
    blames: "load",
    verdicts: { B: "same", R: "same", T: "tx", W: "same" },
    notSent: "acquire",
    source: `${POOL}; a pool whose connections are all held`,
    evidence: "measured",
  },
  {
    name: "pg pool ended",
    match: { starts: ["Cannot use a pool after calling end on the pool", "Called end on pool more than once"] },
    meaning: "the driver's pool has been closed",
    blames: "caller",
    verdicts: { C: "no", B: "no", R: "no", T: "no", W: "no" },
    notSent: "acquire",
    source: `${POOL}; a call after end()`,
    evidence: "measured",
  },
  {
    name: "pg query timeout",
    match: { starts: ["Query read timeout"] },
    meaning: "not answered in time; the server may still be working",
    blames: "load",
    verdicts: { R: "other drop", T: "tx drop", W: "res drop", K: "res drop" },
    source: `${PG}; query_timeout with a slow statement`,
    evidence: "measured",
  },
  {
    name: "pg broken protocol",
    match: { starts: ["Received unexpected ", "received invalid response: ", "Unknown authenticationOk message type"] },
    meaning: "the server's answers are out of step",
    blames: "node",
    verdicts: { ...LOST, R: "other drop once", T: "tx drop once" },
    source: PG,
    evidence: "documentation",
  },
  {
    name: "pg no TLS",
    match: { starts: ["The server does not support SSL connections"] },
    meaning: "the server does not offer TLS",
    blames: "node",
    verdicts: { C: "no" },
    notSent: "connect",
    source: `${PG}; ssl: true against a server without TLS`,
    evidence: "measured",
  },
  {
    name: "pg TLS refused",
    match: { starts: ["There was an error establishing an SSL connection"] },
    meaning: "the server did not begin TLS",
    blames: "node",
    verdicts: { C: "other once" },
    notSent: "connect",
    source: `${PG}; a listener that answers neither yes nor no`,
    evidence: "measured",
  },
  {
    name: "pg login",
    match: { starts: ["SASL: ", "Password must be a string", "Client has already been connected"] },
    meaning: "the client cannot log in with what it was given",
    blames: "caller",
    verdicts: { C: "no", B: "no" },
    notSent: "connect",
    source: `${PG}, crypto/sasl.js; no password against scram-sha-256`,
    evidence: "measured",
  },
  {
    name: "pg wrong use",
    match: {
      starts: [
        "A query must have either text or a name",
        "Prepared statements must be unique",
        "Query values must be an array",
        "Client was passed a null or undefined query",
        "callback is not a function",
        "Passing a function as the first parameter to pool.query is not supported",
      ],
    },
    meaning: "the call makes no sense to the driver; nothing was sent",
    blames: "caller",
    verdicts: WRONG,
    notSent: "unsent",
    source: `${PG}; checked before anything is written`,
    evidence: "measured",
  },
  {
    name: "postgres.js connect timeout",
    match: { codes: ["CONNECT_TIMEOUT"] },
    meaning: "no connection within the time for connecting",
    blames: "node",
    verdicts: REFUSED,
    notSent: "connect",
    source: POSTGRES_JS,
    evidence: "documentation",
  },
  {
    name: "postgres.js connection lost",
    match: { codes: ["CONNECTION_CLOSED", "CONNECTION_ENDED", "CONNECTION_DESTROYED"] },
    meaning: "the connection was lost or ended",
    blames: "node",
    verdicts: LOST,
    source: POSTGRES_JS,
    evidence: "documentation",
  },
  {
    name: "postgres.js wrong use",
    match: {
      codes: [
        "UNDEFINED_VALUE",
        "MAX_PARAMETERS_EXCEEDED",
        "NOT_TAGGED_CALL",
        "UNSAFE_TRANSACTION",
        "INVALID_TRANSACTION_STATE",
      ],
    },
    meaning: "the call makes no sense to the driver; nothing was sent",
    blames: "caller",
    verdicts: WRONG,
    notSent: "unsent",
    source: POSTGRES_JS,
    evidence: "documentation",
  },
  {
    name: "postgres.js login",
    match: { codes: ["SASL_SIGNATURE_MISMATCH", "AUTH_TYPE_NOT_IMPLEMENTED", "SSL_NOT_SUPPORTED"] },
    meaning: "the client and the server cannot agree on a login",
    blames: "caller",
    verdicts: { C: "no", B: "no" },
    notSent: "connect",
    source: POSTGRES_JS,
    evidence: "documentation",
  },
];
