/**
 * What a caller asks of a pool: one unit of database work that a policy may delay, refuse, run again or run elsewhere.
 */
import type { Causality } from "./causality.ts";
import type { Connection, QueryResult, Statement } from "./pool.ts";
import type { CallTrace } from "../trace/trace.ts";

/** Whether a call may change anything. A read may be sent to a replica and repeated. */
export type Access = "read" | "write";

/** How fresh a read must be: any replica; one that has this session's writes; the primary. */
export type Consistency = "eventual" | "session" | "strong";

/** Who is served first and who is refused last when there is not room for all. */
export type Priority = "critical" | "normal" | "sheddable";

/** Transaction isolation, by the standard's names. */
export type Isolation = "read uncommitted" | "read committed" | "repeatable read" | "serializable";

/** How a transaction begins. What is left out is the server's default. */
export interface TransactionOptions {
  /** Which isolation it asks for. @default that of the server */
  readonly isolation?: Isolation;
  /** Promises not to write; such a transaction may run on a replica. @default false */
  readonly readOnly?: boolean;
  /** With `serializable` and `readOnly`: waits for a snapshot that cannot be cancelled. @default false */
  readonly deferrable?: boolean;
}

/** One go at a read that is sent a second time while the first go is under way. Kept by `hedge`, told by the router and the adapter. */
export interface HedgedGo {
  /** Of a second go: the nodes that have the first, and whether the primary may have the second. Undefined for the first. */
  readonly other: { readonly nodes: readonly string[]; readonly primary: boolean } | undefined;
  /** Told of a node before the go is sent there, each time. False when it must not be sent. */
  sentTo(node: string): boolean;
  /** Told by the adapter that it has a connection: to end it may cost that connection from now on. */
  holds(): void;
}

/** What is known of a call before it runs. Policies read it and pass on changed copies; they never change it. */
export interface OperationContext {
  /** Whether it reads or writes, by the caller's word or by the statement's text. */
  readonly access: Access;
  /** Whether the caller said so; otherwise it was read from the statement's text, and more may be known further in. */
  readonly accessSaid: boolean;
  /** The caller's word that running the call twice does no more than running it once. */
  readonly idempotent: boolean;
  /** When the call must have ended, in milliseconds of the stack's clock; `Infinity` is never. */
  readonly deadline: number;
  /** Ends the call when it aborts, with its reason; undefined when nobody can abort it. */
  readonly signal: AbortSignal | undefined;
  /** Who goes first, and who is refused first, when there is not room for all. */
  readonly priority: Priority;
  /** How fresh what it reads must be. */
  readonly consistency: Consistency;
  /** What a `session` read must include, and where acknowledged writes are noted; undefined where nobody keeps count. */
  readonly causality: Causality | undefined;
  /** Names the kind of call in events and metrics; never shown to the server. */
  readonly label: string | undefined;
  /** On whose behalf the call is made; never shown to the server. Undefined where nobody said so. */
  readonly tenant: string | undefined;
  /** The destination that the caller named; undefined for the one that the stack chooses. */
  readonly destination: string | undefined;
  /**
   * A transaction learns at its beginning who it is at the database, so that its outcome can be asked for when the
   * answer to COMMIT is lost. Set by `commitResolution`.
   */
  readonly resolvable: boolean;
  /** An autocommit write is sent as a transaction that can be resolved; needs `commitResolution` in the stack. */
  readonly exactlyOnce: boolean | undefined;
  /** The caller's own name for this piece of work: what the ledger has under it is not done again. */
  readonly idempotencyKey: string | undefined;
  /** Which go at the call this is, from 1; set by `retry`. */
  readonly attempt: number;
  /** A probe asks how a node is; it passes what would refuse a call and has a connection of its own. */
  readonly purpose: "call" | "probe";
  /** A connection of a session that the caller holds, as its driver knows it: the call runs there while that is possible. */
  readonly held?: unknown;
  /** Where it is written down what becomes of the call; absent where nobody asked for that. */
  readonly trace?: CallTrace;
  /** Which go at a hedged read this is; absent for all other calls. */
  readonly hedged?: HedgedGo;
}

/** One statement on any connection; the adapter may use its fastest path. `T` is what the statement's result is. */
export interface QueryOperation<T> extends OperationContext {
  /** Which of the three kinds it is. */
  readonly kind: "query";
  /** What `run` sends, unless a policy has put something else in its place. */
  readonly statement: Statement;
  /**
   * When it is `run` itself: nobody would notice if the statement's result were given without it. So a policy that puts
   * something else in the place of `run` need not know of this.
   */
  readonly runsStatement?: unknown;
  /** Does the work on the connection; `attempt` counts from 1. */
  run(connection: Connection, attempt: number): Promise<T>;
}

/** Begin, the caller's function, commit. Re-runnable as a whole, never statement by statement. */
export interface TransactionOperation<T> extends OperationContext {
  /** Which of the three kinds it is. */
  readonly kind: "transaction";
  /** How the transaction begins. */
  readonly transaction: TransactionOptions;
  /** Does the work between begin and commit; `attempt` counts from 1. */
  run(connection: Connection, attempt: number): Promise<T>;
}

/**
 * The caller holds a connection until `run` settles. Once handed out it is never re-run, and the deadline bounds only
 * the wait for the connection.
 */
export interface SessionOperation<T> extends OperationContext {
  /** Which of the three kinds it is. */
  readonly kind: "session";
  /** The one statement that the connection is for, where it is for one. */
  readonly statement?: Statement;
  /** Whether the caller has had anything of it yet; until then it may be run again. @default always */
  begun?(): boolean;
  /** Hands the connection to the caller; `attempt` counts from 1. */
  run(connection: Connection, attempt: number): Promise<T>;
}

/** One unit of database work that a policy may delay, refuse, run again or run elsewhere. */
export type Operation<T> = QueryOperation<T> | TransactionOperation<T> | SessionOperation<T>;

/** A call about which nothing is known but whether it may write. */
export function operationContext(access: Access): OperationContext {
  return {
    access,
    accessSaid: false,
    idempotent: false,
    deadline: Number.POSITIVE_INFINITY,
    signal: undefined,
    priority: "normal",
    consistency: "session",
    causality: undefined,
    label: undefined,
    tenant: undefined,
    destination: undefined,
    resolvable: false,
    exactlyOnce: undefined,
    idempotencyKey: undefined,
    attempt: 1,
    purpose: "call",
  };
}

/** The operation that runs one statement. */
export function queryOperation<Row>(statement: Statement, context: OperationContext): QueryOperation<QueryResult<Row>> {
  return { ...context, kind: "query", statement, run: runStatement as QueryOperation<QueryResult<Row>>["run"] };
}

/** What an operation does that is one statement and nothing else; by it an adapter knows such a one. */
export function runStatement(this: QueryOperation<unknown>, connection: Connection): Promise<unknown> {
  return connection.query(this.statement);
}
