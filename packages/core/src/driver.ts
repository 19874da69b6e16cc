/**
 * What an adapter must bring: open, run, cancel and close one connection. Everything else is done once, here in core.
 */
import type { QueryResult, Statement } from "./pool.ts";

/** How a connection stands between statements. */
export type TransactionStatus = "idle" | "open" | "failed" | "unknown";

/** One connection of a driver. */
export interface DriverConnection {
  query<Row = Record<string, unknown>>(statement: Statement): Promise<QueryResult<Row>>;
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
}

/** The connections of one database server. */
export interface Driver {
  /** Stands in the pool's `layers`, for those who need to know what is at the bottom of a stack. */
  readonly layer?: string;
  /** Called once, before anything else. */
  listen(listener: DriverListener): void;
  /** Most connections that `acquire` will have open at once. */
  readonly max: number;
  /** An idle connection, or a new one. */
  acquire(): DriverConnection | Promise<DriverConnection>;
  /** A connection that is lent already, as one whose release leaves it where it is; undefined when it is none or dead. */
  held?(driver: unknown): DriverConnection | undefined;
  /** A new connection that does not count towards `max`, for probes: they must get through when all others are taken. */
  open(): Promise<DriverConnection>;
  /** Connections open now, and how many of them are idle. */
  counts(): { readonly total: number; readonly idle: number };
  /** Lets no connection of today be handed out again. */
  retire(): void;
  /** Ends every connection; none is in use any more. Never waits for a server that does not answer. */
  close(): Promise<void>;
}
