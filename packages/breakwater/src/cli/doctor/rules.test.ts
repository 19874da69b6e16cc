import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { doctorCommand } from "./doctor.ts";
import { diagnose, type Finding } from "./diagnose.ts";
import { type Node, type Plan, type Problem, roundOf, type SilentNode } from "./facts.ts";
import { RULES } from "./rules/index.ts";
import { NO_ANSWER } from "./session.ts";
import { nodeOf, PLAN, replicaOf } from "./testing.ts";

const NOW = Date.parse("2026-06-01");

function look(nodes: readonly Node[], plan: Partial<Plan> = {}, silent: readonly SilentNode[] = []): Finding[] {
  return diagnose(roundOf(nodes, silent, { ...PLAN, ...plan }, NOW));
}

type Changes = Parameters<typeof nodeOf>[1];
/** A primary with changes, beside two sound replicas; or sound ones, with changes of the first replica. */
const primary = (changes: Changes): Node[] => [nodeOf("db1", changes), replicaOf("db2"), replicaOf("db3")];
const replica = (changes: Changes): Node[] => [nodeOf("db1"), replicaOf("db2", changes), replicaOf("db3")];
const setting = (name: string, value: string): Node[] => primary({ settings: { [name]: value } });
const onReplica = (name: string, value: string): Node[] => replica({ settings: { [name]: value } });
const state = { role: "replica", systemId: "7", timeline: 3, position: 100n } as const;
const superuser = { superuser: true, monitors: true, limit: -1, databaseLimit: -1 };
const activity = nodeOf("").activity!;

function bouncer(version: string, settings: Readonly<Record<string, string>>): Node[] {
  return primary({ pooled: true, console: { version, settings: new Map(Object.entries(settings)) } });
}

type Plant = readonly [id: string, node: string | null, nodes: readonly Node[], plan?: Partial<Plan>];

/** What must be found where, each in a round of its own. */
const PLANTED: readonly Plant[] = [
  ["no-primary", null, [replicaOf("db2"), replicaOf("db3")]],
  ["several-primaries", null, [...primary({}), nodeOf("db4", { state: { ...state, role: "primary", timeline: 2 } })]],
  ["several-primaries", null, [...primary({}), nodeOf("db4")]],
  ["different-clusters", "db2", replica({ state: { ...state, systemId: "8" } })],
  ["timeline-differs", "db2", replica({ state: { ...state, timeline: 2 } })],
  ["role-unexpected", "db2", replica({ expected: "primary" })],
  ["same-server-twice", "db4", [...primary({}), replicaOf("db4", { server: "7/db3" })]],
  ["databases-differ", "db2", replica({ database: "shop2" })],
  ["versions-differ", "db2", replica({ version: 170_002 })],
  ["replica-unlisted", "db1", [nodeOf("db1"), replicaOf("db2")]],
  ["no-replica", "db1", [nodeOf("db1", { senders: [], settings: { synchronous_standby_names: "" } })]],
  ["fsync-off", "db1", setting("fsync", "off")],
  ["full-page-writes-off", "db2", onReplica("full_page_writes", "off")],
  ["damage-ignored", "db1", setting("zero_damaged_pages", "on")],
  ["checksum-failures-ignored", "db1", setting("ignore_checksum_failure", "on")],
  ["synchronous-commit-off", "db1", setting("synchronous_commit", "off")],
  ["synchronous-commit-weak", "db1", setting("synchronous_commit", "remote_write")],
  ["synchronous-standbys-missing", "db1", setting("synchronous_standby_names", "ANY 3 (n2, n3, n4)")],
  ["synchronous-standbys-missing", "db1", primary({ senders: [] })],
  ["synchronous-standbys-exact", "db1", setting("synchronous_standby_names", "ANY 2 (n2, n3)")],
  ["asynchronous-replication", "db1", setting("synchronous_standby_names", "")],
  ["rewind-impossible", "db1", setting("wal_log_hints", "off")],
  ["replica-not-streaming", "db2", replica({ replay: { receiving: false, status: undefined, paused: false } })],
  ["replica-not-streaming", "db2", replica({ replay: { receiving: true, status: "stopping", paused: false } })],
  ["replay-paused", "db2", replica({ replay: { receiving: true, status: undefined, paused: true } })],
  ["replica-lagging", "db2", replica({ lag: { bytes: 9_000_000n, waitedMs: 2_010 } })],
  ["replay-delayed", "db2", onReplica("recovery_min_apply_delay", "60000")],
  ["timeline-not-latest", "db2", onReplica("recovery_target_timeline", "current")],
  ["standby-delay-zero", "db2", onReplica("max_standby_streaming_delay", "0")],
  ["standby-delay-unbounded", "db2", onReplica("max_standby_streaming_delay", "-1")],
  ["hot-standby-feedback-off", "db2", onReplica("hot_standby_feedback", "off")],
  ["hot-standby-off", "db1", setting("hot_standby", "off")],
  ["replica-settings-smaller", "db2", onReplica("max_connections", "50")],
  ["wal-level-minimal", "db1", setting("wal_level", "minimal")],
  ["wal-senders-none", "db1", setting("max_wal_senders", "0")],
  ["wal-senders-used-up", "db1", setting("max_wal_senders", "2")],
  ["wal-sender-timeout-off", "db1", setting("wal_sender_timeout", "0")],
  ["wal-receiver-timeout-off", "db2", onReplica("wal_receiver_timeout", "0")],
  ["replica-without-slot", "db1", setting("wal_keep_size", "0")],
  ["client-connection-check-off", "db1", setting("client_connection_check_interval", "0")],
  ["idle-in-transaction-timeout-off", "db1", setting("idle_in_transaction_session_timeout", "0")],
  ["statement-timeout-off", "db1", setting("statement_timeout", "0")],
  ["lock-timeout-off", "db1", setting("lock_timeout", "0")],
  ["idle-session-timeout-set", "db1", setting("idle_session_timeout", "5000")],
  ["tcp-keepalives-slow", "db1", setting("tcp_keepalives_idle", "7200")],
  ["tcp-user-timeout-off", "db1", setting("tcp_user_timeout", "0")],
  ["exit-on-error", "db1", setting("exit_on_error", "on")],
  ["default-read-only", "db1", setting("default_transaction_read_only", "on")],
  ["serializable-on-replica", "db2", onReplica("default_transaction_isolation", "serializable")],
  ["pool-too-large", "db1", [nodeOf("db1")], { processes: 9 }],
  ["connection-limit", "db1", primary({ role: { ...superuser, superuser: false, limit: 10 } })],
  ["connection-limit", "db1", primary({ role: { ...superuser, superuser: false, databaseLimit: 10 } })],
  ["connections-nearly-used-up", "db1", primary({ activity: { ...activity, connections: 80 } })],
  ["superuser-reserve-none", "db1", setting("superuser_reserved_connections", "0")],
  ["long-transaction", "db1", primary({ activity: { ...activity, oldestTransactionSeconds: 4_000 } })],
  [
    "idle-in-transaction",
    "db1",
    primary({ activity: { ...activity, idleInTransactionSeconds: 70, idleInTransactionPid: 12 } }),
  ],
  ["prepared-transactions-left", "db1", primary({ prepared: { count: 1, oldestSeconds: 90, gid: "a" } })],
  ["wraparound-near", "db1", primary({ age: { transactions: 1_200_000_000, multixacts: 1, database: "shop" } })],
  ["autovacuum-off", "db1", setting("autovacuum", "off")],
  [
    "slot-inactive",
    "db1",
    primary({ slots: [{ name: "old", active: false, retainedBytes: 5_000, walStatus: "reserved" }] }),
  ],
  ["archiving-fails", "db1", primary({ archiver: { failed: 4, failing: true } })],
  ["link-not-encrypted", "db1", primary({ tls: false })],
  ["password-md5", "db1", setting("password_encryption", "md5")],
  ["trust-authentication", "db1", primary({ trusts: [{ line: 9, address: "all" }] })],
  ["role-superuser", "db1", primary({ role: superuser })],
  ["role-cannot-identify", "db2", replica({ state: { ...state, timeline: undefined } })],
  ["role-sees-little", "db1", primary({ role: { ...superuser, superuser: false, monitors: false } })],
  ["pooler-between", "db1", bouncer("1.24.1", { pool_mode: "transaction", max_prepared_statements: "200" })],
  ["pooler-statement-mode", "db1", primary({ pooled: true, statementMode: true })],
  ["pooler-unprepared", "db1", bouncer("1.18.0", {})],
  ["pooler-reset-none", "db1", bouncer("1.24.1", { pool_mode: "session", server_reset_query: "" })],
  ["pooler-waits", "db1", bouncer("1.24.1", { query_wait_timeout: "0" })],
  ["pooler-clients", "db1", bouncer("1.24.1", { max_client_conn: "10" })],
  ["ledger-missing", "db1", primary({ ledger: "missing" }), { ledger: "ledger" }],
  ["ledger-missing", "db1", primary({ ledger: "forbidden" }), { ledger: "ledger" }],
  ["strings-not-standard", "db1", setting("standard_conforming_strings", "off")],
  ["version-unsupported", "db1", primary({ version: 120_022 })],
  ["version-ended", "db1", primary({ version: 130_010 })],
  ["clock-differs", "db1", primary({ clock: { aheadMs: -5_000, exactMs: 10 } })],
  ["restart-pending", "db1", primary({ settings: { max_connections: { value: "100", pendingRestart: true } } })],
  ["restart-after-crash-off", "db1", setting("restart_after_crash", "off")],
];

/** How nodes come to be silent, by what the driver says. */
const SILENCE: readonly (readonly [string, Problem])[] = [
  ["host-unknown", { code: "ENOTFOUND", message: "getaddrinfo ENOTFOUND db9" }],
  ["server-unreachable", { code: "ECONNREFUSED", message: "connect ECONNREFUSED" }],
  ["no-answer", { code: NO_ANSWER, message: "no answer within 5000 ms" }],
  ["password-refused", { code: "28P01", message: "password authentication failed" }],
  ["password-refused", { code: undefined, message: "SASL: client password must be a string" }],
  ["pooler-refuses", { code: "08P01", message: "query_wait_timeout" }],
  ["access-refused", { code: "28000", message: "no pg_hba.conf entry for host, no encryption" }],
  ["database-unknown", { code: "3D000", message: "database does not exist" }],
  ["connections-exhausted", { code: "53300", message: "sorry, too many clients already" }],
  ["hot-standby-refuses", { code: "57P03", message: "the database system is not accepting connections" }],
  ["server-starting", { code: "57P03", message: "the database system is starting up" }],
  ["tls-refused", { code: undefined, message: "The server does not support SSL connections" }],
  ["tls-refused", { code: "SELF_SIGNED_CERT_IN_CHAIN", message: "self-signed certificate in chain" }],
  ["connection-failed", { code: undefined, message: "Connection terminated unexpectedly" }],
];

function silenced(problem: Problem): SilentNode {
  return { name: "db9", host: "db9", user: "app", database: "shop", expected: undefined, problem };
}

describe("the rules of doctor", () => {
  it("find nothing where nothing is wrong", () => {
    expect(look(primary({}))).toEqual([]);
  });

  const plants = PLANTED.map(([id, node, nodes, plan]) => ({ id, node, nodes, plan }));
  it.each(plants)("find $id at $node", ({ id, node, nodes, plan }) => {
    const found = look(nodes, plan).filter((one) => one.id === id);
    expect(found.map((one) => one.node)).toEqual([node]);
  });

  it.each(SILENCE)("find %s, and nothing else", (id, problem) => {
    const found = look(primary({}), {}, [silenced(problem)]);
    expect(found).toEqual([expect.objectContaining({ id, node: "db9", level: "error" })]);
  });

  it("have each been tried", () => {
    const tried = new Set([...PLANTED.map(([id]) => id), ...SILENCE.map(([id]) => id)]);
    expect(RULES.map(({ id }) => id).filter((id) => !tried.has(id))).toEqual([]);
  });

  it("have names of their own", () => {
    expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
  });

  it("are named without any server", async () => {
    let text = "";
    const code = await doctorCommand(["--list"], {
      write(part, written) {
        text += part;
        written();
      },
    });
    expect([code, text.trimEnd().split("\n").length]).toEqual([0, RULES.length]);
  });

  it("say one plain sentence, and what to do", () => {
    for (const { id, node, seen, why, change } of PLANTED.flatMap(([, , nodes, plan]) => look(nodes, plan))) {
      expect(why, id).toMatch(/^[A-Z].*\.$/);
      for (const text of [seen, change]) expect(text, `${id} at ${node}`).not.toMatch(/undefined|NaN|null|\[object/);
    }
  });

  it.each([
    ["default", "user", `ALTER SYSTEM SET fsync = 'on'; SELECT pg_reload_conf();`],
    ["configuration file", "postmaster", `ALTER SYSTEM SET fsync = 'on'; then restart the server`],
    ["user", "user", `ALTER ROLE "app" SET fsync = 'on';`],
    ["database", "user", `ALTER DATABASE "shop" SET fsync = 'on';`],
    ["database user", "user", `ALTER ROLE "app" IN DATABASE "shop" SET fsync = 'on';`],
    ["client", "user", "take fsync out of the connection string or PGOPTIONS, or set it there to on"],
    [
      "command line",
      "user",
      "start the server with -c fsync=on: its command line sets it, and goes before ALTER SYSTEM",
    ],
  ])("change what was set by %s (%s) where it was set", (source, context, change) => {
    expect(look(primary({ settings: { fsync: { value: "off", source, context } } }))).toMatchObject([{ change }]);
  });

  it("look at a server once, and at each way to it", () => {
    const twice = [nodeOf("db1", { settings: { fsync: "off" }, tls: false })];
    const found = look([...primary({}), ...twice.map((node) => ({ ...node, name: "alias", server: "7/db1" }))]);
    expect(found.map(({ id, node }) => [id, node])).toEqual([
      ["same-server-twice", "alias"],
      ["link-not-encrypted", "alias"],
    ]);
  });

  it("take the cluster that most nodes belong to for the right one", () => {
    const stranger = nodeOf("db0", { state: { ...state, role: "primary", systemId: "8", timeline: 9 } });
    expect(look([stranger, ...primary({})]).map(({ id, node }) => [id, node])).toEqual([["different-clusters", "db0"]]);
    const headless = look([stranger, replicaOf("db2"), replicaOf("db3")]);
    expect(headless.map(({ id }) => id)).toEqual(["no-primary", "different-clusters"]);
  });

  it("leave out what is accepted, and put the worst first", () => {
    const round = roundOf(primary({ tls: false, settings: { fsync: "off", lock_timeout: "0" } }), [], PLAN, NOW);
    expect(diagnose(round).map(({ level }) => level)).toEqual(["error", "warning", "note"]);
    expect(diagnose(round, ["fsync-off"]).map(({ id }) => id)).toEqual(["link-not-encrypted", "lock-timeout-off"]);
  });

  it("stand on their page, each with its level and its reason, and no others do", () => {
    const page = readFileSync(new URL("../../../../../docs/doctor.md", import.meta.url), "utf8");
    const findings = page.slice(page.indexOf("\n## The findings"));
    const rows = [...findings.matchAll(/^\| `([a-z0-9-]+)` +\| (\w+) +\|[^|]*\| (.*?) +\|[^|]*\|$/gm)];
    const told = rows.map(([, id, level, why]) => ({ id, level, why }));
    expect(told).toEqual(RULES.map(({ id, level, why }) => ({ id, level, why })));
  });
});
