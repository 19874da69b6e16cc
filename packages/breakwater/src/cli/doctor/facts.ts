/** What was learned of the nodes: what rules decide from, and nothing else. */
import type { NodeState } from "@breakwater/core";

/** One setting of a server, as a session of the given role has it from its start. */
export interface Setting {
  readonly name: string;
  /** Without its unit; `on` or `off` for a switch. */
  readonly value: string;
  /** Such as `ms`, `s`, `kB`; undefined where it has none. */
  readonly unit: string | undefined;
  /** Who set it: `default`, `configuration file`, `user`, `database`, `client` … (`pg_settings.source`). */
  readonly source: string;
  /** When a change counts: `postmaster` is a restart (`pg_settings.context`). */
  readonly context: string;
  /** Whether another value stands in the file that waits for a restart. */
  readonly pendingRestart: boolean;
}

/** Where a connection string leads; never a password. */
export interface Address {
  /** Stands in findings: `host:port/database`, numbered where there are two of them. */
  readonly name: string;
  readonly host: string;
  readonly user: string;
  readonly database: string;
  /** What the user takes it for; undefined where it was not said. */
  readonly expected: "primary" | "replica" | undefined;
}

/** A node that could not be connected to, or stopped answering. */
export interface SilentNode extends Address {
  readonly problem: Problem;
}

/** Why a node is silent. */
export interface Problem {
  /** SQLSTATE, or the code of the system; undefined where there is none. */
  readonly code: string | undefined;
  /** Passwords taken out. */
  readonly message: string;
}

/** What a role may do, and how many connections it may have. */
export interface Role {
  readonly superuser: boolean;
  /** Whether it sees what other sessions do (`pg_monitor`, `pg_read_all_stats`). */
  readonly monitors: boolean;
  /** Most connections of the role, and of the database; -1 for no limit. */
  readonly limit: number;
  readonly databaseLimit: number;
}

/** What runs at a server. Undefined numbers: none, or not to be seen by this role. */
export interface Activity {
  /** Connections of clients. */
  readonly connections: number;
  readonly oldestTransactionSeconds: number | undefined;
  readonly oldestTransactionPid: number | undefined;
  readonly idleInTransactionSeconds: number | undefined;
  readonly idleInTransactionPid: number | undefined;
}

/** A replication slot. */
export interface Slot {
  readonly name: string;
  readonly active: boolean;
  /** WAL that is kept for it. */
  readonly retainedBytes: number | undefined;
  /** `reserved`, `extended`, `unreserved`, `lost`. */
  readonly walStatus: string | undefined;
}

/** Somebody who receives WAL from a server. State and kind of commit are hidden from roles that may not see them. */
export interface Sender {
  readonly application: string;
  readonly state: string | undefined;
}

/** How a replica replays. */
export interface Replay {
  /** Whether a WAL receiver is there. */
  readonly receiving: boolean;
  /** Its status; undefined where the role may not see it. */
  readonly status: string | undefined;
  readonly paused: boolean;
}

/** How far behind the primary a replica stayed while it was watched. */
export interface Lag {
  /** What the primary had when the watching began, and the replica did not at its end; 0: it caught up. */
  readonly bytes: bigint;
  readonly waitedMs: number;
}

/** PgBouncer, as its own console tells of it. */
export interface PoolerConsole {
  readonly version: string;
  readonly settings: ReadonlyMap<string, string>;
}

/** A line of `pg_hba.conf` that lets clients in without any proof. */
export interface TrustLine {
  readonly line: number;
  readonly address: string;
}

/** A node that answered. What it was asked and did not tell is undefined. */
export interface Node extends Address {
  readonly state: NodeState;
  /** `server_version_num`: 180004 is 18.4. */
  readonly version: number;
  readonly versionText: string;
  /** The same for two nodes only if they are one server. */
  readonly server: string;
  readonly tls: boolean;
  /** Whether the link does not leave the machine. */
  readonly local: boolean;
  readonly pooled: boolean;
  readonly console: PoolerConsole | undefined;
  /** Whether a pooler takes no transactions of several statements. */
  readonly statementMode: boolean;
  /** How far the server's clock is ahead of the one here, and how exactly that is known, in milliseconds. */
  readonly clock: { readonly aheadMs: number; readonly exactMs: number };
  readonly settings: ReadonlyMap<string, Setting>;
  readonly role: Role | undefined;
  readonly activity: Activity | undefined;
  readonly prepared: { readonly count: number; readonly oldestSeconds: number; readonly gid: string } | undefined;
  readonly slots: readonly Slot[] | undefined;
  readonly senders: readonly Sender[] | undefined;
  readonly replay: Replay | undefined;
  readonly lag: Lag | undefined;
  /** Queries that were cancelled because replay could not wait, in this database. */
  readonly conflicts: number | undefined;
  readonly age: { readonly transactions: number; readonly multixacts: number; readonly database: string } | undefined;
  readonly archiver: { readonly failed: number; readonly failing: boolean } | undefined;
  readonly trusts: readonly TrustLine[] | undefined;
  /** Whether the ledger's table is there, and the role may use it; undefined where nobody asked. */
  readonly ledger: "there" | "missing" | "forbidden" | undefined;
  /** What it would not tell, by the name of the question. */
  readonly refused: readonly string[];
}

/** What the user said of the service. */
export interface Plan {
  readonly poolSize: number;
  readonly processes: number;
  /** Name of the ledger's table, where there is to be one. */
  readonly ledger: string | undefined;
  /** Longest that a replica may take to have what the primary had, in milliseconds. */
  readonly maxLagMs: number;
}

/** One look at all nodes. */
export interface Round {
  /** Who answered, in the order given. */
  readonly nodes: readonly Node[];
  readonly silent: readonly SilentNode[];
  /** Who answered, each server once. */
  readonly servers: readonly Node[];
  /** Of these, those of the cluster that most belong to: who takes writes, the newest history first, and who does not. */
  readonly primaries: readonly Node[];
  readonly replicas: readonly Node[];
  /** And those of other clusters. */
  readonly strangers: readonly Node[];
  readonly plan: Plan;
  /** In milliseconds since 1970. */
  readonly nowMs: number;
}

/** Sorts what was learned. */
export function roundOf(
  nodes: readonly Node[],
  silent: readonly SilentNode[],
  plan: Plan,
  nowMs: number = Date.now(),
): Round {
  const servers = nodes.filter((node, at) => nodes.findIndex(({ server }) => server === node.server) === at);
  const systemId = commonest(servers.flatMap(({ state }) => state.systemId ?? []));
  // Who does not tell may well belong to it.
  const isStrange = ({ state }: Node): boolean => state.systemId !== undefined && state.systemId !== systemId;
  const having = (role: NodeState["role"]): Node[] =>
    servers.filter((node) => node.state.role === role && !isStrange(node));
  const primaries = having("primary").toSorted((a, b) => (b.state.timeline ?? 0) - (a.state.timeline ?? 0));
  const strangers = servers.filter(isStrange);
  return { nodes, silent, servers, primaries, replicas: having("replica"), strangers, plan, nowMs };
}

/** The one that is there most often, of several the first; undefined of none. */
function commonest(all: readonly string[]): string | undefined {
  const times = (one: string): number => all.filter((other) => other === one).length;
  return all.toSorted((a, b) => times(b) - times(a))[0];
}
