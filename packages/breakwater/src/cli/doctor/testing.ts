/** Nodes for tests: sound ones, and what is changed of them. */
import type { Node, Plan, Setting } from "./facts.ts";

/** As a server has them that nothing is to be said against. */
const SETTINGS: Readonly<Record<string, string>> = {
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  synchronous_standby_names: "ANY 1 (n2, n3)",
  client_connection_check_interval: "2000",
  idle_in_transaction_session_timeout: "60000",
  statement_timeout: "60000",
  lock_timeout: "10000",
  tcp_keepalives_idle: "60",
  tcp_user_timeout: "30000",
  max_connections: "100",
  superuser_reserved_connections: "3",
  max_wal_senders: "10",
  wal_keep_size: "1024",
  wal_log_hints: "on",
  data_checksums: "off",
  hot_standby_feedback: "on",
  max_standby_streaming_delay: "30000",
};
const UNITS: Readonly<Record<string, string>> = { tcp_keepalives_idle: "s", statement_timeout: "ms" };

export const PLAN: Plan = { poolSize: 10, processes: 1, ledger: undefined, maxLagMs: 2_000 };

/** A setting by value, or with who has set it and when it counts. */
export type Given = string | (Partial<Setting> & Pick<Setting, "value">);

/** A sound node with some facts changed; `settings` are added to those of a sound one. */
export function nodeOf(
  name: string,
  { settings = {}, ...changed }: Partial<Omit<Node, "settings">> & { settings?: Readonly<Record<string, Given>> } = {},
): Node {
  const all: Readonly<Record<string, Given>> = { ...SETTINGS, ...settings };
  return {
    name,
    host: name,
    user: "app",
    database: "shop",
    expected: undefined,
    state: { role: "primary", systemId: "7", timeline: 3, position: 100n },
    version: 180_004,
    versionText: "18.4",
    server: `7/${name}`,
    tls: true,
    local: false,
    pooled: false,
    console: undefined,
    statementMode: false,
    clock: { aheadMs: 3, exactMs: 1 },
    role: { superuser: false, monitors: true, limit: -1, databaseLimit: -1 },
    activity: {
      connections: 5,
      oldestTransactionSeconds: 1,
      oldestTransactionPid: 11,
      idleInTransactionSeconds: undefined,
      idleInTransactionPid: undefined,
    },
    prepared: { count: 0, oldestSeconds: 0, gid: "" },
    slots: [],
    senders: ["n2", "n3"].map((application) => ({ application, state: "streaming" })),
    replay: undefined,
    lag: undefined,
    conflicts: 0,
    age: { transactions: 1_000, multixacts: 1, database: "shop" },
    archiver: { failed: 0, failing: false },
    trusts: undefined,
    ledger: undefined,
    refused: [],
    ...changed,
    settings: new Map(Object.entries(all).map(([key, given]) => [key, settingOf(key, given)])),
  };
}

/** The same as a replica that follows. */
export function replicaOf(name: string, changed: Parameters<typeof nodeOf>[1] = {}): Node {
  return nodeOf(name, {
    state: { role: "replica", systemId: "7", timeline: 3, position: 100n },
    senders: [],
    replay: { receiving: true, status: "streaming", paused: false },
    lag: { bytes: 0n, waitedMs: 1 },
    ...changed,
  });
}

function settingOf(name: string, given: Given): Setting {
  const whole = typeof given === "string" ? { value: given } : given;
  return { name, unit: UNITS[name], source: "default", context: "user", pendingRestart: false, ...whole };
}
