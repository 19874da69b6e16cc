/**
 * What a database must tell the layer. Adapters of the same database share one dialect.
 */
import type { HistoryPoint } from "./causality.ts";
import type { TransactionIdentity } from "./errors.ts";
import type { Failure, Situation } from "./failure.ts";
import type { TransactionOptions } from "./operation.ts";
import type { Connection, QueryResult, Statement } from "./pool.ts";

/** What a statement needs: any node; the primary; one connection that is kept. */
export type StatementClass = "read" | "write" | "session";

/** What a node says of itself. */
export interface NodeState {
  /** `primary` where it takes writes now. */
  readonly role: "primary" | "replica";
  /** Which cluster the node belongs to, by the identifier that it was made with; undefined where none is told. */
  readonly systemId: string | undefined;
  /** Which history of that cluster: it grows with each promotion. */
  readonly timeline: number | undefined;
  /** How far the node has written or replayed; comparable within a timeline. */
  readonly position: bigint | undefined;
}

/** The texts that begin and end transactions. */
export interface TransactionTexts {
  /** Sent before BEGIN, where a database sets for the next transaction what is not part of BEGIN; undefined for nothing. */
  before?(options: TransactionOptions): string | undefined;
  /** Text that begins a transaction with these options. */
  begin(options: TransactionOptions): string;
  /**
   * Sent in one text after BEGIN: the server itself ends a statement of this transaction that runs longer than so many
   * milliseconds, if it has no limit of its own. Left out where a server cannot be told.
   */
  limit?(ms: number): string;
  /** The same as one statement with values, whose text does not change. */
  limitStatement?(ms: number): Statement;
  /** Text that commits it. */
  readonly commit: string;
  /** Text that undoes all of it. */
  readonly rollback: string;
  /** Text that sets a savepoint of this name. */
  savepoint(name: string): string;
  /** Text that keeps what was done since the savepoint of this name. */
  releaseSavepoint(name: string): string;
  /** Text that undoes what was done since the savepoint of this name. */
  rollbackToSavepoint(name: string): string;
}

/** What became of a transaction. */
export type Outcome =
  | "committed"
  | "rolled-back"
  /** It still runs: its commit may yet come. */
  | "in-progress"
  /** The server cannot prove either. */
  | "unprovable";

/** How the outcome of a transaction can be found out. */
export interface TransactionResolution {
  /**
   * Sent in one text after BEGIN: makes the transaction's number known without a round trip of its own. Left out where a
   * transaction is known by the connection that it runs on.
   */
  readonly identityText?: string;
  /** That and the limit of `TransactionTexts` as one statement with values, whose text does not change. */
  identityAndLimit?(ms: number): Statement;
  /**
   * Which life of its server a connection belongs to, asked once and remembered; empty where that is not known. Called
   * before BEGIN.
   */
  incarnation(connection: Connection): Promise<string>;
  /** What `incarnation` would give, where nothing has to be asked for it. @default never */
  known?(connection: Connection): string | undefined;
  /**
   * Who the transaction is, read out of the answer to BEGIN and `identityText`; asks nothing. `incarnation` is what the
   * same connection gave before. Undefined where that cannot be told.
   */
  identity(
    begun: QueryResult,
    incarnation: string,
    connection: Connection,
  ): Omit<TransactionIdentity, "node"> | undefined;
  /** Asks the primary what became of a transaction. */
  outcome(primary: Connection, transaction: TransactionIdentity): Promise<Outcome>;
  /** Ends the server process that still runs the transaction, and only if it still runs it. */
  end(primary: Connection, transaction: TransactionIdentity): Promise<void>;
}

/** How the position of a commit becomes known with its acknowledgement. */
export interface CommitPosition {
  /** The question for the position. It is sent behind COMMIT: in one text, or in one flight. */
  readonly questionText: string;
  /** The position out of the answers to both. */
  read(answer: QueryResult): HistoryPoint | undefined;
}

/**
 * How a ledger is kept: a table with a row per piece of work, written in the transaction that does it. The name of the
 * table may be qualified, its parts divided by dots.
 */
export interface LedgerTexts {
  /** Makes the table, unless it is there. */
  create(table: string): string;
  /** Removes the rows that are older than a number of seconds. */
  sweep(table: string, olderThanSeconds: number): string;
  /** Writes a row: `rowCount` is 1, or 0 when the key has one already. Waits for a transaction that may yet write it. */
  claim(table: string, key: string): Statement;
  /** The row of a key: its column `result` is JSON as a text, or null. */
  find(table: string, key: string): Statement;
  /** Writes a result into the row of a key. */
  keep(table: string, key: string, json: string): Statement;
}

/** What a text alone cannot tell: whether functions that are not built in change anything. */
export interface FunctionCatalog {
  /** Functions that keep a text from being a read and may turn out harmless; empty when nothing about them would help. */
  undecided(text: string): readonly string[];
  /** Which of some functions are harmless by the catalog's word. A name that is no function is harmless. */
  harmless(connection: Connection, names: readonly string[]): Promise<ReadonlySet<string>>;
}

/** How notifications are sent and heard. Each throws an OptionError for what cannot be the name of a channel. */
export interface NotificationTexts {
  /** Text by which a connection begins to hear a channel. */
  listen(channel: string): string;
  /** Text by which it hears the channel no more. */
  unlisten(channel: string): string;
  /** Statement that sends `payload` to a channel. */
  notify(channel: string, payload: string): Statement;
}

/** Everything that is particular to one kind of database. */
export interface Dialect {
  /** Name of the database: `postgresql`, `mysql`. */
  readonly name: string;
  /** How transactions begin and end. */
  readonly transaction: TransactionTexts;
  /** Undefined for a database that cannot tell a transaction's outcome. */
  readonly resolution?: TransactionResolution;
  /** Undefined for a database whose ledger is kept as PostgreSQL's. */
  readonly ledger?: LedgerTexts;
  /** Undefined for a database that cannot tell positions. */
  readonly commitPosition?: CommitPosition;
  /** Undefined for a database without notifications. */
  readonly notifications?: NotificationTexts;
  /** Undefined for a database whose functions cannot be looked up. */
  readonly functions?: FunctionCatalog;
  /** What a statement needs, from its text alone. In doubt it is a write. */
  classify(text: string): StatementClass;
  /** Whether a statement asks to commit the transaction that is open. */
  commits(text: string): boolean;
  /** Whether a text, sent outside a transaction, may keep a part of its work and then fail. */
  commitsInParts?(text: string): boolean;
  /** What an error means where it happened. Never throws. */
  judge(error: unknown, situation: Situation): Failure;
  /** Whether a notice says that a commit has reached this server alone, where others should have it too. */
  notReplicated?(notice: unknown): boolean;
  /** Whether COMMIT's answer says that the transaction was kept. */
  committed(result: QueryResult): boolean;
  /** Asks a node for its role, history and position, in one round trip. */
  probe(connection: Connection): Promise<NodeState>;
  /**
   * Asks a replica the same when it has got as far as `position`, or when `waitMs` milliseconds are over: its server waits,
   * and is not asked again and again. Undefined for a database whose servers do not wait.
   */
  reach?(connection: Connection, position: bigint, waitMs: number): Promise<Reached>;
}

/** What a replica says that has been asked to wait. */
export interface Reached {
  /** How it stands now. */
  readonly state: NodeState;
  /** False where its server does not wait after all: it has to be asked again and again. */
  readonly waited: boolean;
}
