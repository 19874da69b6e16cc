/**
 * The shape of `status.json`: how the stacks of a process stand, as plain data. Within one `format` members may be added; none is
 * renamed, taken away or given another meaning.
 */

/** Everything that a status handler knows at one moment. */
export interface StatusReport {
  /** Number of this shape. */
  readonly format: 1;
  /** When it was made, as an ISO 8601 text. */
  readonly time: string;
  /** How long the handler has been there, in milliseconds. */
  readonly uptimeMs: number;
  /** Whether something can be done here, by those who have the token. */
  readonly actions: boolean;
  /** Every database that the handler was given, in that order. */
  readonly databases: readonly DatabaseReport[];
}

/** One stack. */
export interface DatabaseReport {
  /** Differs from all others of the report. */
  readonly name: string;
  /**
   * `ok`: every node answers, its breaker is closed, and none is fenced; `degraded`: it is not so, but a primary answers, or
   * what has no router has connections; `down`: no primary answers; `unknown`: nobody has asked for anything yet. What was
   * seen: nothing is asked of the database for it.
   */
  readonly status: "ok" | "degraded" | "down" | "unknown";
  /** What stands in the stack, from the outside in, up to the router. */
  readonly stack: readonly string[];
  /** Calls that wait for a node that can serve them, such as writes while there is no primary; 0 without a router. */
  readonly waitingForNode: number;
  /** Sums over all nodes, as are `recent` and `total`. */
  readonly pool: PoolReport;
  /** What was done lately. */
  readonly recent: PeriodReport;
  /** What was done since the stack was made. */
  readonly total: TotalReport;
  /** Counters of the policies around the router. */
  readonly policies: readonly PolicyReport[];
  /** The nodes behind the router; without one, the pool itself. */
  readonly nodes: readonly NodeReport[];
  /** What can be changed, by name; see `db.controls`. */
  readonly controls: readonly ControlReport[];
  /** The last events, oldest first. */
  readonly events: readonly EventReport[];
}

/** One node. */
export interface NodeReport {
  /** As the stack calls it: by default host, port and database, never a user or a password. */
  readonly name: string;
  /** As observed; `unknown` while fenced, and for a pool without a router. */
  readonly role: "primary" | "replica" | "unknown";
  /** Whether it answered when it was last looked at; without a router `up` while it has connections. `unknown` before. */
  readonly state: "up" | "down" | "unknown";
  /** State of its circuit breaker: `closed`, `open`, `half-open` or `isolated`; null where it has none. */
  readonly breaker: string | null;
  /** How far it is behind the primary; null for a primary, and where it is not known. */
  readonly lag: { readonly ms: number; readonly bytes: number } | null;
  /** Its share of the reads, against that of others; null without a router. */
  readonly weight: number | null;
  /** Gets no new calls: somebody has said so. */
  readonly drained: boolean;
  /** Gets no reads for a while: it failed calls or was slow. */
  readonly ejected: boolean;
  /** Is further behind than is allowed. */
  readonly lagging: boolean;
  /** Believes it is the primary, of an older history. */
  readonly fenced: boolean;
  /** Has come back, and gets few calls at a time yet. */
  readonly starting: boolean;
  /** Its own policies, from the outside in. */
  readonly stack: readonly string[];
  /** Its connections. */
  readonly pool: PoolReport;
  /** What was done there lately. */
  readonly recent: PeriodReport;
  /** What was done there since its pool was made. */
  readonly total: TotalReport;
  /** Counters of its own policies. */
  readonly policies: readonly PolicyReport[];
}

/** Connections, and calls that want one. */
export interface PoolReport {
  /** Connections that are open or being opened. */
  readonly total: number;
  /** Connections that nobody uses. */
  readonly idle: number;
  /** Calls that hold a connection. */
  readonly active: number;
  /** Calls that wait for a connection. */
  readonly waiting: number;
  /** Connections that are being opened. */
  readonly connecting: number;
  /** Most connections. */
  readonly max: number;
}

/** Milliseconds that so many percent of the calls did not exceed; 0 while there was none. */
export interface LatencyReport {
  /** Half of the calls. */
  readonly p50: number;
  /** 95 % of the calls. */
  readonly p95: number;
  /** 99 % of the calls. */
  readonly p99: number;
}

/** What was done within the last while: ten seconds while somebody looks, else since anybody last did. */
export interface PeriodReport {
  /** How long that is, in milliseconds. */
  readonly ms: number;
  /** Calls that ended; every attempt on a node is one. */
  readonly calls: number;
  /** Calls of these that were rejected. */
  readonly failed: number;
  /** Calls that ended, per second. */
  readonly callsPerSecond: number;
  /** How long calls held their connection. */
  readonly latency: LatencyReport;
  /** How long calls waited for one. */
  readonly wait: LatencyReport;
}

/** What was done since the pool was made. */
export interface TotalReport {
  /** Calls that ended; every attempt on a node is one. */
  readonly calls: number;
  /** Calls of these that were rejected. */
  readonly failed: number;
  /** Connections that were opened. */
  readonly opened: number;
  /** Connections that were closed, or lost. */
  readonly closed: number;
  /** Connections that could not be opened. */
  readonly refused: number;
  /** Calls that lost their connection, or got none. */
  readonly connectionErrors: number;
  /** Calls that ended because a limit in time had passed. */
  readonly timeouts: number;
  /** Statements that the database refused, by the first two characters of their SQLSTATE. */
  readonly sqlErrors: Readonly<Record<string, number>>;
  /** How long calls held their connection. */
  readonly latency: LatencyReport;
}

/** What a policy says of itself: numbers, and words such as a state. */
export interface PolicyReport {
  /** The policy's name. */
  readonly policy: string;
  /** By name; what stands one level below as `budget.left`. */
  readonly counters: Readonly<Record<string, number | string | boolean>>;
}

/** What can be changed of one policy. */
export interface ControlReport {
  /** As `db.controls.get` takes it: `retry`, `db2/circuit-breaker`. */
  readonly name: string;
  /** The policy's name. */
  readonly policy: string;
  /** What may be changed, as it is now. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What else can be done, by name. */
  readonly actions: readonly string[];
}

/** Something that happened: never SQL, parameters, passwords or messages of drivers. */
export interface EventReport {
  /** Grows with each event of the handler. */
  readonly id: number;
  /** When it happened, as an ISO 8601 text. */
  readonly time: string;
  /** How much it matters, as `logEvents` has it. */
  readonly level: "info" | "warn" | "error";
  /** The event's name, such as `router:role-changed`. */
  readonly name: string;
  /** What is known of it, in a line. */
  readonly text: string;
  /** How often it happened in a row within moments; `id` and `time` are the last one's. */
  readonly times: number;
}
