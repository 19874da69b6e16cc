/**
 * What an adapter must bring: open, run, cancel and close one connection. Everything else is done once, here in core.
 */
import type { QueryResult, Statement } from "./pool.ts";

/** How a connection stands between statements. */
export type TransactionStatus = "idle" | "open" | "failed" | "unknown";

/** Rows of one statement, a part at a time, inside an open transaction. Other statements may run between two parts. */
export interface DriverCursor {
  /** The next rows, at most `count`; with `done`, the last. */
  read(count: number): Promise<{ readonly rows: readonly unknown[]; readonly done: boolean }>;
  /** Ends it before its end. */
  close(): Promise<void>;
}

/** A notification of the database, as a driver hands it on. */
export interface DriverNotification {
  /** The channel that it was sent to. */
  readonly channel: string;
  /** What was sent; empty when nothing was. */
  readonly payload: string;
  /** The server process that sent it. */
  readonly processId: number;
}

/** What not every driver can do. */
export interface DriverAbilities {
  /**
   * Sends statements all at once and waits for all: the first that fails ends them all, and outside a transaction they
   * are one. An error tells which it was by `noteIndex`. Undefined where this connection cannot.
   */
  queryAll?(statements: readonly Statement[]): Promise<readonly QueryResult[]> | undefined;
  /**
   * The same for one text with many rows of values; rows are counted and not kept. Resolves to their number; to undefined
   * where it has turned out that this connection cannot, and no row has been sent.
   */
  executeMany?(text: string, rows: readonly (readonly unknown[])[]): Promise<number | undefined> | undefined;
  /** Begins to read a statement's rows; only inside a transaction. */
  cursor?(statement: Statement): DriverCursor | undefined;
  /** Runs a COPY … FROM STDIN with what `source` brings. Resolves to the number of rows. */
  copyFrom?(text: string, source: AsyncIterable<Uint8Array | string>): Promise<number>;
  /** Runs a COPY … TO STDOUT; reads on when `take` has resolved. Resolves to the number of rows. */
  copyTo?(text: string, take: (chunk: Uint8Array) => Promise<void> | undefined): Promise<number>;
  /** Hears what is sent to the channels that the connection listens to, and that its link is lost, until called back. */
  onNotification?(heard: (notification: DriverNotification) => void, lost: (error: unknown) => void): () => void;
}

/** Who waits for the answer to a statement. Exactly one of the two is called, once, and never while it is being sent. */
export interface StatementReceiver {
  /** Called with what the server answered. */
  answered(result: QueryResult): void;
  /** Called with the driver's own error. */
  failed(error: unknown): void;
}

/** How single reads may share connections. */
export interface Pipelining {
  /** Most statements under way on one connection. */
  readonly depth: number;
  /** Most connections that are shared. */
  readonly connections: number;
  /** How long the way to the server and back takes at least, in milliseconds, as far as is known. @default 0 */
  wayMs?(): number;
  /** Whether a statement may: others need not fear to stand behind it. */
  fits(statement: Statement): boolean;
}

/**
 * How the first statement of a transaction travels together with what begins it. The connection is a call's own: nothing
 * else is under way on it.
 */
export interface Carrier {
  /** Whether `begin` takes a statement along at this moment; undefined asks whether it can begin at all. */
  carries(first: Statement | undefined): boolean;
  /**
   * That statement with its values as they are sent, so that no conversion of the caller's own runs during `begin`: it may
   * throw, or use the transaction. Undefined where one throws: `query` will say so when the transaction has begun.
   */
  made(first: Statement): Statement | undefined;
  /**
   * Sends what begins a transaction and, right behind it, the transaction's first statement, as `made`. What stands behind
   * one that fails is not carried out. `opened` is called with the answers to the opening, before the promise settles as
   * `first` does; when it has not been called, the promise rejects with the error of the opening.
   */
  begin(
    opening: readonly Statement[],
    first: Statement | undefined,
    opened: (answers: readonly QueryResult[]) => void,
  ): Promise<QueryResult | undefined>;
  /**
   * The caller has been given `driver`, and may send by it at any time; before that nobody does. What waits there for a
   * `begin` to be answered must never reach the server when that fails and leaves no transaction.
   */
  shown(): void;
}

/** One connection of a driver. */
export interface DriverConnection extends DriverAbilities {
  /** Runs one statement and resolves with all its rows. Rejects with the driver's own error. */
  query<Row = Record<string, unknown>>(statement: Statement): Promise<QueryResult<Row>>;
  /**
   * Sends a statement without waiting for those before it: they end in the order in which they were sent, each by itself.
   * It leaves with `flush`. False when the connection cannot do that, or not now.
   * @throws what the driver refuses; nothing has been sent then.
   */
  send?(statement: Statement, receiver: StatementReceiver): boolean;
  /** Lets go what has been sent. */
  flush?(): void;
  /** Undefined where every statement of a transaction is sent by itself. */
  readonly carrier?: Carrier | undefined;
  /** The connection as the driver knows it. */
  readonly driver: unknown;
  /** Whether an error of the last statement proves that it was never carried out: the driver itself refused it. */
  refused?(error: unknown): boolean;
  /** Whether an error of the last statement proves that the server ended the connection before it came to the statement. */
  unprocessed?(error: unknown): boolean;
  /** Whether a transaction is open, as the server last said; unknown while a statement runs that was not given to `query`. */
  readonly transactionStatus: TransactionStatus;
  /** False once the link is known to be dead: a statement given to it now would never be sent. */
  readonly usable: boolean;
  /** Called whenever it is handed out; until it is released or destroyed, it is somebody's. */
  taken?(): void;
  /** Takes away what a session leaves behind: settings, temporary tables, LISTEN, locks, prepared statements. */
  reset?(): Promise<void>;
  /** Gives the connection back for others to use. */
  release(): void;
  /**
   * Ends the connection at once; it is never used again. With `cancel`, the server is first asked to stop what it is
   * running. Never rejects; resolves when the link is gone.
   */
  destroy(cancel: boolean): Promise<void>;
}

/** Who hears of what happens to connections while no call runs on them. */
export interface DriverListener {
  /** An idle connection died. */
  lost(error: unknown): void;
  /** The server sent a notice or warning. */
  notice(notice: unknown): void;
  /** A connection has been opened, and is ready; how long that took, in milliseconds, where the driver knows. */
  opened?(tookMs?: number): void;
  /** A connection counts no more. */
  ended?(): void;
  /** A connection could not be opened, whether or not somebody waited for it. */
  unopened?(error: unknown): void;
}

/** The connections of one database server. */
export interface Driver {
  /** Stands in the pool's `layers`, for those who need to know what is at the bottom of a stack. */
  readonly layer?: string;
  /** Undefined where every statement has a connection of its own. */
  readonly pipelining?: Pipelining | undefined;
  /** Called once, before anything else. */
  listen(listener: DriverListener): void;
  /** Most connections that `acquire` will have open at once. */
  readonly max: number;
  /** Connections that are kept open. @default 0 */
  readonly min?: number;
  /** An idle connection, or a new one. */
  acquire(): DriverConnection | Promise<DriverConnection>;
  /**
   * Whether a connection that is out may serve once more without going back, as if it had been acquired again; false where
   * others wait for it, or it should end. Absent where that is never so. `now` is the time of the pool's clock.
   */
  again?(connection: DriverConnection, now: number): boolean;
  /** A connection that is lent already, as one whose release leaves it where it is; undefined when it is none or dead. */
  held?(driver: unknown): DriverConnection | undefined;
  /** A new connection that does not count towards `max`, for probes: they must get through when all others are taken. */
  open(): Promise<DriverConnection>;
  /** Connections open or being opened now, how many of them are idle, and how many are being opened. */
  counts(): { readonly total: number; readonly idle: number; readonly connecting?: number };
  /** What is done to a connection before others get it; undefined when nothing is. Rejects when it cannot be done. */
  readonly reset?: ((connection: DriverConnection) => Promise<void>) | undefined;
  /** Opens the connections that are to be kept. Rejects with the reason when one cannot be opened. */
  warm?(): Promise<void>;
  /** Changes how many connections are kept and how many there may be. Absent where somebody else decides that. */
  resize?(min: number, max: number): void;
  /** Why the last attempt to connect failed; undefined when it did not. */
  readonly trouble?: unknown;
  /** Lets no connection of today be handed out again. */
  retire(): void;
  /** Opens no more connections; ends the idle ones, and the others as they are given back. `close` follows. */
  drain?(): void;
  /** Ends every connection; none is in use any more. Never waits for a server that does not answer. */
  close(): Promise<void>;
}
