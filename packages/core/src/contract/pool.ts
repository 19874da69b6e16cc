/**
 * The one interface that policies decorate and adapters implement, and what passes through it.
 */
import type { Control } from "./controls.ts";
import type { Dialect } from "./dialect.ts";
import type { DriverConnection } from "./driver.ts";
import type { Events } from "./events.ts";
import type { PoolMetrics } from "../measure/metrics.ts";
import type { Operation } from "./operation.ts";

/** One statement with its parameters. Parameters are never logged or shown in messages. */
export interface Statement {
  /** The text, with the placeholders of the database. */
  readonly text: string;
  /** Values of the placeholders, in order. @default none */
  readonly values?: readonly unknown[];
  /** Prepares the statement under this name and uses it again. */
  readonly name?: string;
  /** Rows as objects by column name (default) or as arrays. */
  readonly rowMode?: "array";
  /**
   * The statements of a text of several, for a driver that can do better than to send the text: the first as it is, the
   * others prepared, all at once. The answer is the same. For texts that the layer itself makes.
   */
  readonly parts?: readonly Statement[];
}

/** One column of a result. */
export interface Field {
  /** Its name in the result, an alias too. */
  readonly name: string;
  /** The type as the database numbers it. */
  readonly dataTypeID: number;
}

/** What a statement answered. Drivers pass their own object, which may hold more. */
export interface QueryResult<Row = Record<string, unknown>> {
  /** The rows, in the order in which the server sent them. */
  readonly rows: Row[];
  /** Rows returned or changed; null where the command has no count. */
  readonly rowCount: number | null;
  /** The command as the server names it: `SELECT`, `INSERT` … */
  readonly command: string;
  /** The columns, in the order of the statement; empty for a statement that has none. */
  readonly fields: readonly Field[];
}

/** What only a driver can do, in the place of a statement: many statements at once, a part of a cursor, COPY. */
export interface Work<R> {
  /** The statement that it is taken for when its answer is lost. */
  readonly text: string;
  /** It takes as long as others need who read or bring the rows: the limit of one statement does not hold. @default false */
  readonly unlimited?: boolean;
  /** Is given the driver's connection when its turn has come. */
  run(connection: DriverConnection): Promise<R>;
}

/** One held link to a database. Statements run one after another, in the order in which they were asked for. */
export interface Connection {
  /** Runs one statement and resolves with all its rows. */
  query<Row = Record<string, unknown>>(statement: Statement): Promise<QueryResult<Row>>;
  /** Does what only the driver can do, in its turn among the statements. Left out where the driver is out of reach. */
  work?<R>(work: Work<R>): Promise<R>;
  /** Says that the connection must not be used again; it is ended when the call is. */
  discard(): void;
  /** The driver's own connection, for what only the driver can do (COPY, cursors). */
  readonly driver: unknown;
}

/** How a node of a router stands. */
export interface NodeStats {
  /** Name of the node. */
  readonly name: string;
  /** What it was at the last look, and before the first what it was given as; `unknown` while it is fenced. */
  readonly role: "primary" | "replica" | "unknown";
  /** Whether it answered at the last look; `unknown` before the first. */
  readonly state: "up" | "down" | "unknown";
  /** The node's own pool. */
  readonly pool: PoolStats;
}

/** One moment of a pool. An immutable snapshot. */
export interface PoolStats {
  /** Name of the pool. */
  readonly name: string;
  /** Connections open or being opened. */
  readonly total: number;
  /** Connections that wait for work. */
  readonly idle: number;
  /** Calls that hold a connection now. */
  readonly active: number;
  /** Calls that wait for a connection now. */
  readonly waiting: number;
  /** Connections that are being opened now. */
  readonly connecting: number;
  /** Most connections that the pool will open. */
  readonly max: number;
  /** What each policy of the stack says of itself, in the order in which a call meets them. */
  readonly policies: readonly PolicyStats[];
  /** The nodes behind a router; empty for a pool of one database. */
  readonly nodes: readonly NodeStats[];
  /** What has been counted since the pool was made; behind a router the sums over its nodes. */
  readonly metrics: PoolMetrics;
}

/** What one policy says of itself: its name and its own counters. */
export interface PolicyStats {
  /** Name of the policy. */
  readonly policy: string;
  readonly [counter: string]: unknown;
}

/** How to end a pool. */
export interface CloseOptions {
  /** How long running calls may take to end before they are cut off, in milliseconds. @default 10000 */
  readonly drainMs?: number;
}

/** How many connections a pool has. */
export interface PoolBounds {
  /** Connections that are kept open. */
  readonly min?: number;
  /** Most connections. */
  readonly max?: number;
}

/** A name in the stack and the names that must not stand outside it. Pools carry them so that a wrong order is told. */
export interface Layer {
  /** Name of the layer. */
  readonly name: string;
  /** Layers that must stand further in than this one, each with the reason. */
  readonly outside: Readonly<Record<string, string>>;
}

/**
 * Whom an interrupt ends: everybody; single reads, which can go on elsewhere, and those who have no connection yet; or only
 * the latter. Other than `all` leaves the connections that are not concerned in use.
 */
export type Interrupted = "all" | "reads" | "waiting";

/** Several databases of one stack, by name. */
export interface Destinations {
  /** Those that a call could go to. */
  readonly all: readonly string[];
  /** Of these, those of which one must be well for the stack to be of use. */
  readonly needed: readonly string[];
  /** How the nodes of one stand, each under the destination's name; empty where there is no router. */
  nodes(destination: string): readonly NodeStats[];
}

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
  /** Runs a call, and resolves with what it gives. */
  execute<T>(operation: Operation<T>): Promise<T>;
  /** An immutable snapshot. */
  stats(): PoolStats;
  /**
   * Ends whatever runs on this pool with `reason` and lets none of today's connections be used again. For a node
   * that has stopped answering or has lost its role; new calls open new connections.
   */
  interrupt(reason: Error, whom?: Interrupted): void;
  /**
   * Opens the connections that are to be kept, or one to show that there can be some. Rejects with the reason when that
   * cannot be done: the driver's own error, or a `TimeoutError`. Behind a router, on every node. Left out where there is
   * nothing to open.
   */
  ready?(): Promise<void>;
  /**
   * Changes how many connections are kept and how many there may be; a bound that is left out stays. Nothing that runs
   * or waits is disturbed: those who wait are served when there may be more, and what is too many ends as it is given back.
   * Behind a router, on every node. Left out where there is nothing to change.
   * @throws OptionError when a bound is out of range; UsageError when the size is not the pool's to decide.
   */
  resize?(size: PoolBounds): void;
  /**
   * Hands on its policies, from the outside in; names need not differ yet. Left out where nothing can be changed. For use,
   * `controlsOf(pool)` has them by name.
   */
  controls?(): readonly Control[];
  /**
   * Where such a call would go, where the stack leads to several databases; asked for the health of all of them. Left out
   * where there is but one.
   */
  leadsTo?(operation: Operation<unknown>): Destinations;
  /** Refuses new calls, waits for running ones up to a deadline, then cuts them off. Idempotent. */
  close(options?: CloseOptions): Promise<void>;
}
