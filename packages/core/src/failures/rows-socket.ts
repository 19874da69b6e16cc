/**
 * Rows for what the operating system, Node.js and TLS say of the link, which is the same for every database; and for the
 * caller's own cancelling.
 */
import { type FailureRow, LOST, REFUSED } from "./row.ts";

const NODE = "Node.js documentation, errors";
const MAN = "connect(2), read(2), write(2)";

/** What a process or a machine runs out of. */
const OWN_LIMITS: readonly string[] = ["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS", "EAGAIN"];

/** Sockets, name resolution, TLS, cancelling: put them behind the rows of the server and the driver. */
export const SOCKET_ROWS: readonly FailureRow[] = [
  {
    name: "ENOTFOUND",
    match: { codes: ["ENOTFOUND", "ENODATA", "ENONAME"] },
    meaning: "the server's name is not known",
    blames: "node",
    verdicts: { C: "other slow", B: "other slow", R: "other slow drop", T: "tx slow drop", W: "other slow drop" },
    notSent: "connect",
    source: "a name under .invalid",
    evidence: "measured",
  },
  {
    name: "EAI_AGAIN",
    match: { codes: ["EAI_AGAIN", "ESERVFAIL", "ETIMEOUT"] },
    meaning: "the name service did not answer",
    blames: "node",
    verdicts: { C: "same", B: "same", R: "same drop", T: "tx drop", W: "same drop" },
    notSent: "connect",
    source: "a name under .invalid without a name service",
    evidence: "measured",
  },
  {
    name: "own limits, connecting",
    match: { codes: OWN_LIMITS, syscalls: ["connect", "socket", "getaddrinfo"] },
    meaning: "this process or machine is out of sockets",
    blames: "caller",
    verdicts: { C: "same slow", B: "same slow", R: "same slow drop", T: "tx slow drop", W: "same slow drop" },
    notSent: "connect",
    source: MAN,
    evidence: "documentation",
  },
  {
    name: "own limits",
    match: { codes: OWN_LIMITS },
    meaning: "this process or machine ran out of sockets or buffers",
    blames: "caller",
    verdicts: { ...LOST, C: "same slow", B: "same slow" },
    source: MAN,
    evidence: "documentation",
  },
  {
    name: "ECONNREFUSED",
    match: { codes: ["ECONNREFUSED"] },
    meaning: "nobody listens there",
    blames: "node",
    verdicts: REFUSED,
    notSent: "connect",
    source: "a port that nobody listens on; a stopped server",
    evidence: "measured",
  },
  {
    name: "failed connect",
    match: { syscalls: ["connect", "getaddrinfo"] },
    meaning: "the server could not be reached",
    blames: "node",
    verdicts: REFUSED,
    notSent: "connect",
    source: MAN,
    evidence: "documentation",
  },
  {
    name: "socket lost",
    match: {
      codes: [
        "ECONNRESET",
        "EPIPE",
        "ECONNABORTED",
        "ETIMEDOUT",
        "EHOSTUNREACH",
        "ENETUNREACH",
        "EHOSTDOWN",
        "ENETDOWN",
        "ENETRESET",
        "ENOTCONN",
        "ESHUTDOWN",
        "ENOTSOCK",
      ],
    },
    meaning: "the connection was lost",
    blames: "node",
    verdicts: LOST,
    source: "a reset while a read, a write, a transaction and a COMMIT ran",
    evidence: "measured",
  },
  {
    name: "closed stream",
    match: {
      codes: [
        "ERR_STREAM_DESTROYED",
        "ERR_STREAM_WRITE_AFTER_END",
        "ERR_STREAM_PREMATURE_CLOSE",
        "ERR_SOCKET_CLOSED",
        "ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
      ],
    },
    meaning: "the connection was closed while it was written to",
    blames: "node",
    verdicts: LOST,
    source: NODE,
    evidence: "documentation",
  },
  {
    name: "TLS trust",
    match: {
      prefixes: [
        "CERT_",
        "CRL_",
        "ERROR_IN_",
        "SELF_SIGNED_",
        "UNABLE_TO_",
        "DEPTH_ZERO_",
        "HOSTNAME_MISMATCH",
        "INVALID_CA",
        "INVALID_PURPOSE",
        "PATH_LENGTH_EXCEEDED",
        "ERR_TLS_CERT_",
      ],
    },
    meaning: "the server's certificate is not trusted",
    blames: "node",
    verdicts: { C: "no" },
    notSent: "connect",
    source: `${NODE}, X509 certificate error codes`,
    evidence: "documentation",
  },
  {
    name: "TLS broke",
    match: { prefixes: ["EPROTO", "ERR_SSL_", "ERR_TLS_"] },
    meaning: "TLS broke",
    blames: "node",
    verdicts: { ...LOST, C: "other once" },
    source: "a listener that agrees to TLS and then speaks something else",
    evidence: "measured",
  },
  {
    name: "system error",
    match: { syscalls: ["read", "write", "writev", "shutdown", "recv", "send"] },
    meaning: "the connection failed",
    blames: "node",
    verdicts: LOST,
    source: MAN,
    evidence: "documentation",
  },
  {
    name: "cancelled by the caller",
    match: { names: ["AbortError"] },
    meaning: "the caller gave up",
    blames: "caller",
    verdicts: { C: "no", B: "no", R: "no drop", T: "no drop", W: "lost drop", K: "lost drop" },
    source: "DOM standard, AbortSignal",
    evidence: "documentation",
  },
];
