/**
 * The one interface that policies decorate and adapters implement, and what passes through it.
 */
import type { Dialect } from "./dialect.ts";
import type { Events } from "./events.ts";
import type { Operation } from "./operation.ts";

/** One statement with its parameters. Parameters are never logged or shown in messages. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Prepares the statement under this name and uses it again. */
  readonly name?: string;
  /** Rows as objects by column name (default) or as arrays. */
  readonly rowMode?: "array";
}

/** One column of a result. */
export interface Field {
  readonly name: string;
  /** The type as the database numbers it. */
  readonly dataTypeID: number;
}

/** What a statement answered. Drivers pass their own object, which may hold more. */
export interface QueryResult<Row = Record<string, unknown>> {
  readonly rows: Row[];
  /** Rows returned or changed; null where the command has no count. */
  readonly rowCount: number | null;
  /** The command as the server names it: `SELECT`, `INSERT` … */
  readonly command: string;
  readonly fields: readonly Field[];
}

/** One held link to a database. Statements run one after another, in the order in which they were asked for. */
export interface Connection {
  query<Row = Record<string, unknown>>(statement: Statement): Promise<QueryResult<Row>>;
  /** Says that the connection must not be used again; it is ended when the call is. */
  discard(): void;
  /** The driver's own connection, for what only the driver can do (COPY, cursors). */
  readonly driver: unknown;
}

/** How a node of a router stands. */
export interface NodeStats {
  readonly name: string;
  readonly role: "primary" | "replica" | "unknown";
  readonly state: "up" | "down" | "unknown";
  readonly pool: PoolStats;
}

/** One moment of a pool. An immutable snapshot. */
export interface PoolStats {
  readonly name: string;
  /** Connections open, idle or in use. */
  readonly total: number;
  readonly idle: number;
  /** Calls that hold a connection now. */
  readonly active: number;
  /** Calls that wait for a connection now. */
  readonly waiting: number;
  /** Most connections that the pool will open. */
  readonly max: number;
  /** What each policy of the stack says of itself, in the order in which a call meets them. */
  readonly policies: readonly PolicyStats[];
  /** The nodes behind a router; empty for a pool of one database. */
  readonly nodes: readonly NodeStats[];
}

/** What one policy says of itself: its name and its own counters. */
export interface PolicyStats {
  readonly policy: string;
  readonly [counter: string]: unknown;
}

/** How to end a pool. */
export interface CloseOptions {
  /** How long running calls may take to end before they are cut off, in milliseconds. @default 10000 */
  readonly drainMs?: number;
}

/** A name in the stack and the names that must not stand outside it. Pools carry them so that a wrong order is told. */
export interface Layer {
  readonly name: string;
  /** Layers that must stand further in than this one, each with the reason. */
  readonly outside: Readonly<Record<string, string>>;
}

/**
 * Whom an interrupt ends: everybody; single reads, which can go on elsewhere, and those who have no connection yet; or only
 * the latter. Other than `all` leaves the connections that are not concerned in use.
 */
export type Interrupted = "all" | "reads" | "waiting";

/** Runs operations. Adapters implement it, policies decorate it. */
export interface Pool {
  /** Stands in every error, event and metric. */
  readonly name: string;
  /** What this database's statements, errors and transactions mean. */
  readonly dialect: Dialect;
  /** One bus for the whole stack. */
  readonly events: Events;
  /** What stands in this stack, from the outside in. */
  readonly layers: readonly Layer[];
  execute<T>(operation: Operation<T>): Promise<T>;
  /** An immutable snapshot. */
  stats(): PoolStats;
  /**
   * Ends whatever runs on this pool with `reason` and lets none of today's connections be used again. For a node
   * that has stopped answering or has lost its role; new calls open new connections.
   */
  interrupt(reason: Error, whom?: Interrupted): void;
  /** Refuses new calls, waits for running ones up to a deadline, then cuts them off. Idempotent. */
  close(options?: CloseOptions): Promise<void>;
}
