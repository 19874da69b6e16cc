/** Why a node cannot be examined. The first row that fits says it. */
import type { Problem, SilentNode } from "../facts.ts";
import type { Rule } from "../rule.ts";
import { NO_ANSWER } from "../session.ts";

interface Row {
  readonly id: string;
  readonly why: string;
  readonly fits: (problem: Problem) => boolean;
  readonly change: (node: SilentNode) => string;
}

const code =
  (...codes: readonly string[]) =>
  (problem: Problem): boolean =>
    problem.code !== undefined && codes.includes(problem.code);

const text =
  (pattern: RegExp) =>
  ({ message }: Problem): boolean =>
    pattern.test(message);

const ROWS: readonly Row[] = [
  {
    id: "host-unknown",
    why: "The host's name leads nowhere: no connection can be made.",
    fits: code("ENOTFOUND", "EAI_AGAIN", "EAI_FAIL"),
    change: ({ host }) => `look for a slip of the pen in "${host}", and ask the resolver of this machine for it`,
  },
  {
    id: "server-unreachable",
    why: "Nobody listens there, or the way is shut: no connection can be made.",
    fits: code(
      "ECONNREFUSED",
      "EHOSTUNREACH",
      "ENETUNREACH",
      "EHOSTDOWN",
      "ECONNRESET",
      "EPIPE",
      "ENOENT",
      "EACCES",
      "ETIMEDOUT",
    ),
    change: ({ name }) => `start the server at ${name}, or look at host, port, listen_addresses and the firewall`,
  },
  {
    id: "no-answer",
    why: "The link, or the server behind it, does not answer: every call there waits until its time is over.",
    fits: code(NO_ANSWER),
    change: () => "look whether a firewall drops packets, or the server hangs; --timeout-ms waits longer",
  },
  {
    id: "password-refused",
    why: "The server does not take the password, or was given none: no connection can be made.",
    fits: (problem) =>
      code("28P01")(problem) || text(/client password must be|password authentication failed/i)(problem),
    change: ({ user }) =>
      `look at the password of role "${user}" in the connection string, PGPASSWORD or ~/.pgpass; \\password sets a new one`,
  },
  {
    id: "pooler-refuses",
    why: "A pooler stands there and does not let this connection in, or has no server to give.",
    fits: (problem) =>
      code("08P01")(problem) || text(/pgbouncer|server login has been failing|query_wait_timeout/i)(problem),
    change: () => "look at the pooler's log: its servers, its databases and users, and ignore_startup_parameters",
  },
  {
    id: "access-refused",
    why: "The server does not let this role in from here: no connection can be made.",
    fits: code("28000", "42501"),
    change: ({ user, database }) =>
      `see that role "${user}" exists and may LOGIN and CONNECT to database "${database}", and that a line of pg_hba.conf lets it in from this address`,
  },
  {
    id: "database-unknown",
    why: "The server has no database of that name: no connection can be made.",
    fits: code("3D000"),
    change: ({ database }) => `name another database than "${database}", or create it`,
  },
  {
    id: "connections-exhausted",
    why: "All connections of the server, the role or the database are taken: new ones are refused.",
    fits: code("53300"),
    change: () => "make the pools smaller, end what is idle, or raise max_connections",
  },
  {
    id: "hot-standby-refuses",
    why: "The replica takes no connections: hot_standby is off there, or it has not come far enough.",
    fits: (problem) => code("57P03")(problem) && text(/not accepting connections|hot standby/i)(problem),
    change: () => "set hot_standby = on in its postgresql.conf (or postgresql.auto.conf), and restart",
  },
  {
    id: "server-starting",
    why: "The server is starting up, recovering or shutting down, and takes no connections.",
    fits: code("57P03", "57P01", "57P02"),
    change: () => "wait, and look at its log when it stays so",
  },
  {
    id: "tls-refused",
    why: "No encrypted link can be made, or the server's certificate is not trusted: no connection can be made.",
    fits: (problem) =>
      text(/\bSSL\b|\bTLS\b|certificate/i)(problem) ||
      /^(?:CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|ERR_(?:SSL|TLS)_|EPROTO)/.test(problem.code ?? ""),
    change: () =>
      "give the certificate of the authority by sslrootcert, and a host name that the certificate has; or set ssl = on at the server",
  },
  {
    id: "connection-failed",
    why: "No connection could be made, or it was lost.",
    fits: () => true,
    change: ({ name }) => `look at the log of the server at ${name}`,
  },
];

export const SILENT: readonly Rule[] = ROWS.map(({ id, why, change }) => ({
  id,
  level: "error",
  why,
  find: ({ silent }) =>
    silent
      .filter(({ problem }) => ROWS.find(({ fits }) => fits(problem))?.id === id)
      .map((node) => ({ node: node.name, seen: seenOf(node.problem), change: change(node) })),
}));

function seenOf({ code: known, message }: Problem): string {
  return known === undefined || known === NO_ANSWER || message.includes(known) ? message : `${message} (${known})`;
}
