/** The way to a node: encryption, role, and what stands in between. */
import { identifier } from "../change.ts";
import type { Node } from "../facts.ts";
import { nodeRule, type Rule, settingRule } from "../rule.ts";

/** From this version on it passes prepared statements on (PgBouncer's change log). */
const KNOWS_PREPARED = [1, 21];

export const LINKS: readonly Rule[] = [
  nodeRule({
    id: "link-not-encrypted",
    level: "warning",
    each: "link",
    why: "Whoever can listen on the network reads all data, and may change it.",
    find: (node) =>
      node.tls || node.local
        ? undefined
        : {
            seen: `no TLS to ${node.host}`,
            change: 'add "?sslmode=verify-full" to the connection string, and set ssl = on at the server',
          },
  }),
  settingRule({
    id: "password-md5",
    level: "warning",
    setting: "password_encryption",
    wrong: (value) => value === "md5",
    wanted: "scram-sha-256",
    why: "Passwords are stored so that whoever reads a hash can log in with it; roles need their password set again after the change.",
  }),
  nodeRule({
    id: "trust-authentication",
    level: "warning",
    why: "Whoever reaches the server may be any role, without a password.",
    find({ trusts = [] }) {
      const [first] = trusts;
      if (first === undefined) return undefined;
      return {
        seen: trusts.map(({ line, address }) => `pg_hba.conf line ${line}: trust for ${address}`).join("; "),
        change: "write scram-sha-256 in place of trust there; SELECT pg_reload_conf();",
      };
    },
  }),
  nodeRule({
    id: "role-superuser",
    level: "warning",
    each: "link",
    why: "A superuser takes the connections that are reserved for emergencies, passes every check, and may do everything to the machine.",
    find: ({ role, user }) =>
      role?.superuser === true
        ? {
            seen: `role ${user} is SUPERUSER`,
            change: "connect as a role of the service's own: CREATE ROLE app LOGIN PASSWORD '…';",
          }
        : undefined,
  }),
  nodeRule({
    id: "role-cannot-identify",
    level: "warning",
    each: "link",
    why: "The router cannot tell this cluster from another, or an old primary from the new one, and so cannot keep writes off it.",
    find({ state, user }) {
      if (state.systemId !== undefined && state.timeline !== undefined) return undefined;
      const functions = [
        "pg_control_system()",
        ...(state.role === "replica"
          ? ["pg_control_checkpoint()", "pg_control_recovery()"]
          : ["pg_walfile_name(pg_lsn)"]),
      ];
      return {
        seen: `${state.systemId === undefined ? "system identifier" : "timeline"} not told to role ${user}`,
        change: `GRANT EXECUTE ON FUNCTION ${functions.join(", ")} TO ${identifier(user)};`,
      };
    },
  }),
  nodeRule({
    id: "role-sees-little",
    level: "note",
    each: "link",
    why: "What other sessions do, and how replicas stand, is hidden from this role: doctor could not look at everything.",
    find({ role, user, refused }) {
      if (role?.monitors !== false && refused.length === 0) return undefined;
      return {
        seen: [
          ...(role?.monitors === false ? [`role ${user} is no member of pg_monitor`] : []),
          ...(refused.length === 0 ? [] : [`not answered: ${refused.join(", ")}`]),
        ].join("; "),
        change: `GRANT pg_monitor TO ${identifier(user)}; or run doctor as a role that has it`,
      };
    },
  }),
  nodeRule({
    id: "pooler-between",
    level: "note",
    each: "link",
    why: "In transaction mode a session's server connection changes: what lasts as long as a session, LISTEN and named statements do not work there.",
    find(node) {
      if (!node.pooled) return undefined;
      const told =
        node.console === undefined ? "" : `: PgBouncer ${node.console.version}, pool_mode = ${poolMode(node)}`;
      return {
        seen: `a pooler answers in place of the server${told}`,
        change: `breakwater({ pool: { pooler: "${poolMode(node) === "session" ? "session" : "transaction"}" } }), or connect past it`,
      };
    },
  }),
  nodeRule({
    id: "pooler-statement-mode",
    level: "error",
    each: "link",
    why: "Every transaction of more than one statement is refused, and its connection ended.",
    find: (node) =>
      node.statementMode || poolMode(node) === "statement"
        ? { seen: "pool_mode = statement", change: "pool_mode = transaction in pgbouncer.ini; RELOAD" }
        : undefined,
  }),
  nodeRule({
    id: "pooler-unprepared",
    level: "note",
    each: "link",
    why: "Statements that a program prepares under a name fail there (42P05, 26000); breakwater then prepares none, other programs do.",
    find({ console }) {
      if (console === undefined || poolMode({ console }) === "session") return undefined;
      const most = console.settings.get("max_prepared_statements");
      if (Number(most ?? 0) > 0) return undefined;
      const isOld = !atLeast(console.version, KNOWS_PREPARED);
      return {
        seen: isOld ? `PgBouncer ${console.version}, before 1.21` : `max_prepared_statements = ${most ?? 0}`,
        change: isOld
          ? "PgBouncer 1.21 or later, with max_prepared_statements = 200"
          : "max_prepared_statements = 200 in pgbouncer.ini; RELOAD",
      };
    },
  }),
  nodeRule({
    id: "pooler-reset-none",
    level: "warning",
    each: "link",
    why: "In session mode the next client gets what the last one has left: settings, temporary tables, locks.",
    find({ console }) {
      if (
        console === undefined ||
        poolMode({ console }) !== "session" ||
        console.settings.get("server_reset_query") !== ""
      )
        return undefined;
      return {
        seen: "pool_mode = session, server_reset_query = ''",
        change: "server_reset_query = DISCARD ALL in pgbouncer.ini; RELOAD",
      };
    },
  }),
  nodeRule({
    id: "pooler-waits",
    level: "warning",
    each: "link",
    why: "A client waits for ever when the pooler has no server connection to give, instead of going on elsewhere.",
    find({ console }) {
      if (console === undefined || Number(console.settings.get("query_wait_timeout") ?? 1) !== 0) return undefined;
      return { seen: "query_wait_timeout = 0", change: "query_wait_timeout = 10 in pgbouncer.ini; RELOAD" };
    },
  }),
  nodeRule({
    id: "pooler-clients",
    level: "error",
    each: "link",
    why: "The pools may ask for more connections than the pooler takes: calls fail when load is highest.",
    find({ console }, { plan: { poolSize, processes } }) {
      const most = Number(console?.settings.get("max_client_conn") ?? Number.NaN);
      const need = (poolSize + 1) * processes;
      if (Number.isNaN(most) || need <= most) return undefined;
      return {
        seen: `max_client_conn = ${most}; the pools may ask for ${need}`,
        change: `max_client_conn = ${need + 10} in pgbouncer.ini; RELOAD`,
      };
    },
  }),
  nodeRule({
    id: "ledger-missing",
    level: "error",
    each: "link",
    why: "Every transaction under an idempotency key fails, since its row cannot be written.",
    find({ ledger, user }, { plan: { ledger: table = "" } }) {
      if (ledger === undefined || ledger === "there") return undefined;
      return ledger === "missing"
        ? {
            seen: `there is no table ${table}`,
            change: "run the statement that ledgerTableSql() gives, on the primary",
          }
        : {
            seen: `role ${user} may not use ${table}`,
            change: `GRANT SELECT, INSERT, UPDATE ON ${table} TO ${identifier(user)};`,
          };
    },
  }),
  settingRule({
    id: "strings-not-standard",
    level: "warning",
    setting: "standard_conforming_strings",
    wrong: (value) => value === "off",
    wanted: "on",
    why: "A backslash in a plain string escapes what follows: texts that hold one are sent to the primary, and quoting by other programs can be got around.",
  }),
];

function poolMode({ console }: Pick<Node, "console">): string {
  return console?.settings.get("pool_mode") ?? "transaction";
}

function atLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split(".").map(Number);
  for (const [at, part] of wanted.entries()) {
    const have = parts[at] ?? 0;
    if (have !== part) return have > part;
  }
  return true;
}
