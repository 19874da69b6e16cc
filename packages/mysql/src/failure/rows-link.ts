/**
 * Rows for what the server says of the link: connecting, logging in, being thrown out.
 */
import { LOST, REFUSED, WRONG } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";

const MYSQL = "MySQL 8.4 error reference";
const MARIADB = "MariaDB error codes";

const BUSY = { C: "same slow", B: "same slow", R: "same slow drop", T: "tx slow drop", W: "same slow drop" } as const;

/** Connections refused and ended by the server. */
export const LINK_ROWS: readonly FailureRow[] = [
  {
    name: "1040",
    match: { numbers: [1040, 1203] },
    meaning: "too many connections",
    blames: "load",
    verdicts: BUSY,
    notSent: "connect",
    source: "more connections than max_connections, than max_user_connections",
    evidence: "measured",
  },
  {
    name: "1226",
    match: { numbers: [1226] },
    meaning: "the account has used up what it may use",
    blames: "load",
    verdicts: { C: "same slow", B: "same slow", R: "same slow", T: "tx slow", W: "same slow" },
    source: "MAX_USER_CONNECTIONS and MAX_QUERIES_PER_HOUR of an account",
    evidence: "measured",
  },
  {
    name: "1129",
    match: { numbers: [1129] },
    meaning: "the server has blocked this host after too many failed connections",
    blames: "node",
    verdicts: { C: "other slow", B: "other slow" },
    notSent: "connect",
    source: `${MYSQL}, ER_HOST_IS_BLOCKED`,
    evidence: "documentation",
  },
  {
    name: "login",
    match: { numbers: [1045, 1130, 1251, 1275, 1698, 1820, 1862, 3118, 4151] },
    meaning: "authentication failed",
    blames: "caller",
    verdicts: WRONG,
    source: "a wrong password, an unknown account",
    evidence: "measured",
  },
  {
    name: "1053",
    match: { numbers: [1053, 1077, 1079] },
    meaning: "the server is shutting down",
    blames: "node",
    verdicts: LOST,
    ends: true,
    source: `${MYSQL}, ER_SERVER_SHUTDOWN; MariaDB 10.11 ends its connections without a word`,
    evidence: "documentation",
  },
  {
    name: "1927",
    match: { numbers: [1927, 3169] },
    meaning: "the connection was killed",
    blames: "node",
    verdicts: LOST,
    ends: true,
    source: `${MARIADB}, ER_CONNECTION_KILLED; ${MYSQL}, ER_SESSION_WAS_KILLED`,
    evidence: "documentation",
  },
  {
    name: "4031",
    match: { numbers: [4031] },
    meaning: "the server ended the connection because nothing came for too long",
    blames: "node",
    // It ended before it read anything more.
    verdicts: { B: "other drop", R: "other drop", T: "tx drop", W: "other drop", K: "tx drop" },
    notSent: "unsent",
    ends: true,
    source: `${MYSQL}, ER_CLIENT_INTERACTION_TIMEOUT`,
    evidence: "documentation",
  },
  {
    name: "1153",
    match: { numbers: [1153, 2020] },
    meaning: "the statement is longer than max_allowed_packet",
    blames: "statement",
    verdicts: { C: "no", B: "no drop", R: "no drop", T: "no drop", W: "no drop", K: "no drop" },
    source: "a statement longer than max_allowed_packet",
    evidence: "measured",
  },
  {
    name: "1047",
    match: { numbers: [1047] },
    meaning: "the node does not take part in its cluster now",
    blames: "node",
    verdicts: { C: "other", B: "other", R: "other", T: "tx", W: "other", K: "tx" },
    source: `${MARIADB}: WSREP has not yet prepared node for application use`,
    evidence: "documentation",
  },
  {
    name: "1043",
    match: { numbers: [1043] },
    meaning: "the handshake went wrong",
    blames: "node",
    verdicts: REFUSED,
    notSent: "connect",
    source: `${MYSQL}, ER_HANDSHAKE_ERROR`,
    evidence: "documentation",
  },
  {
    name: "lost, by number",
    match: { numbers: [1152, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, 1184, 2002, 2003, 2006, 2013, 2055] },
    meaning: "the connection was lost",
    blames: "node",
    verdicts: LOST,
    ends: true,
    source: `${MYSQL}, server and client errors`,
    evidence: "documentation",
  },
  {
    name: "08S01",
    match: { server: true, sqlstates: ["08S01", "08003", "08006", "08007"] },
    meaning: "the connection failed",
    blames: "node",
    verdicts: LOST,
    ends: true,
    source: `${MYSQL}, SQLSTATE class 08`,
    evidence: "documentation",
  },
];
