/**
 * Where a client that stands on a stack has its connection: it is lent, and another one takes its place when it is lost,
 * as long as nothing is lost with it that cannot be made again.
 */
import type { Access, CallOptions, Connection, Database, QueryResult, Statement } from "@breakwater/core";
import { closeCursor, isBusy, type LentClient, type Submittable, whenQuiet } from "./client.ts";
import { Lease, type LeaseHost } from "./lease.ts";
import { SessionState } from "./session-state.ts";

/** Who sits there. */
export interface SeatHost {
  /** The connection is another one now. */
  moved(client: LentClient): void;
  /** What the server says unasked. */
  heard(event: "notice" | "notification", argument: unknown): void;
  /** The connection is lost, and with it what cannot be made again. */
  lost(error: Error): void;
}

/** SQLSTATE read_only_sql_transaction: the server is a standby by now. */
const READ_ONLY = "25006";

/** How often a text that changes nothing is sent again when its connection is lost under it. */
const MAX_GOES = 3;

/** How long a link that has been told to end may take to say so, in milliseconds. */
const GONE_MS = 2_000;

const NOBODY: LeaseHost = { acquired: () => undefined, released: () => undefined };

export class Seat {
  readonly #db: Database;
  readonly #call: CallOptions;
  readonly #host: SeatHost;
  readonly #state: SessionState;
  #lease: Lease | undefined;
  // As the server last said, before the link was lost.
  #open = false;
  #status: string | undefined;
  #leave: (() => void) | undefined;

  constructor(db: Database, call: CallOptions, host: SeatHost) {
    this.#db = db;
    this.#call = call;
    this.#host = host;
    this.#state = new SessionState(db.pool.dialect);
  }

  /** Takes a connection, and makes on it what had been set. */
  async take(): Promise<Lease> {
    const lease = await this.#lend();
    try {
      for (const text of this.#state.settings) await lease.client.query(text);
    } catch (error) {
      lease.release(true);
      throw error;
    }
    this.#settle(lease);
    return lease;
  }

  /** Sends a statement: through the stack, unless it needs this very connection. */
  async run(statement: Statement): Promise<QueryResult> {
    const kind = this.#db.pool.dialect.classify(statement.text);
    for (let go = 1; ; go += 1) {
      const lease = await this.#ready();
      const inTransaction = this.#open;
      const alone = !inTransaction && kind !== "session" && this.#state.movable;
      try {
        if (alone) return await this.#throughStack(statement, lease);
        const result = (await lease.client.query(statement)) as QueryResult;
        if (kind === "session") this.#state.note(statement.text, inTransaction);
        return result;
      } catch (error) {
        const gone = this.#failed(lease, error, inTransaction);
        if (alone || !gone || inTransaction || go === MAX_GOES) throw error;
        if (!this.#state.movable || !SessionState.repeatable(statement.text)) throw error;
      } finally {
        this.#noteStatus(lease.client);
      }
    }
  }

  /** Gives the connection a cursor, a stream or a COPY; resolves when it has nothing left to do. */
  async submit(query: Submittable): Promise<void> {
    const lease = await this.#ready();
    const { client } = lease;
    const { text } = (query as { cursor?: Submittable }).cursor ?? query;
    if (typeof text !== "string" || this.#db.pool.dialect.classify(text) === "session")
      this.#state.note(String(text), this.#open);
    client.query(query);
    await quiet(client);
    this.#noteStatus(client);
  }

  /** Lets go a cursor that nobody may read any more. */
  closeCursor(): void {
    if (this.#lease !== undefined) closeCursor(this.#lease.client._activeQuery);
  }

  /** Ends the connection; resolves when its link has ended. */
  async leave(): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    const { client } = lease;
    const ended = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GONE_MS);
      const end = (): void => {
        clearTimeout(timer);
        resolve();
      };
      if (usable(client)) client.once("end", end);
      else end();
    });
    this.#drop(lease);
    await ended;
  }

  /** A connection on which nothing runs. */
  async #ready(): Promise<Lease> {
    const lease = this.#lease;
    if (lease !== undefined && usable(lease.client)) {
      if (!isBusy(lease.client)) return lease;
      // pg tells of an error before the server is ready again.
      await quiet(lease.client);
      this.#noteStatus(lease.client);
      if (usable(lease.client)) return lease;
    }
    if (lease !== undefined) this.#end(lease, new Error("Connection terminated unexpectedly"));
    if (this.#open || !this.#state.movable)
      throw new Error("Client has encountered a connection error and is not queryable");
    return this.take();
  }

  #throughStack(statement: Statement, lease: Lease): Promise<QueryResult> {
    const { pool } = this.#db;
    const { client } = lease;
    // It is lent by the primary unless reads are wished for.
    const own: CallOptions = this.#call.access === "read" ? {} : { consistency: "strong" };
    const access = (): Access => (pool.dialect.classify(statement.text) === "read" ? "read" : "write");
    return pool.execute<QueryResult>({
      ...this.#db.context({ ...this.#call, ...own }, access),
      kind: "query",
      statement,
      held: client,
      run: async (connection) => {
        if (connection.driver !== client) await this.#prepare(connection);
        try {
          return await connection.query(statement);
        } catch (error) {
          // Its place is needed for the connection that the statement is sent over next.
          if (!usable(client)) this.#end(lease, error);
          throw error;
        }
      },
    });
  }

  /** Makes another connection like ours, for one statement. Nobody gets it after that: `lastval()` would be ours. */
  async #prepare(connection: Connection): Promise<void> {
    connection.discard();
    for (const text of this.#state.settings) await connection.query({ text });
  }

  #lend(): Promise<Lease> {
    return new Promise((resolve, reject) => {
      this.#db.pool
        .execute<void>({
          ...this.#db.context(this.#call, () => "write"),
          kind: "session",
          run: (connection) => {
            const lease = new Lease(connection, NOBODY);
            resolve(lease);
            return lease.ended;
          },
        })
        .catch(reject);
    });
  }

  #settle(lease: Lease): void {
    const { client } = lease;
    this.#lease = lease;
    this.#open = false;
    let reason: unknown;
    const notice = (argument: unknown): void => this.#host.heard("notice", argument);
    const notification = (argument: unknown): void => this.#host.heard("notification", argument);
    const error = (given: unknown): void => void (reason ??= given);
    const end = (): void => this.#end(lease, reason);
    client.on("notice", notice);
    client.on("notification", notification);
    client.on("error", error);
    client.on("end", end);
    // Before 8.17 pg does not tell the state of the transaction, but hears of it.
    const { connection } = client;
    const ready = ({ status }: { readonly status?: string }): void => void (this.#status = status);
    if (client.getTransactionStatus === undefined) connection?.on("readyForQuery", ready);
    this.#leave = () => {
      connection?.removeListener("readyForQuery", ready);
      client.removeListener("notice", notice);
      client.removeListener("notification", notification);
      client.removeListener("error", error);
      client.removeListener("end", end);
    };
    this.#host.moved(client);
  }

  /** The link is lost. Nobody hears of it when nothing else is. */
  #end(lease: Lease, reason: unknown): void {
    if (this.#lease !== lease) return;
    this.#drop(lease);
    if (!this.#open && this.#state.movable) return;
    this.#host.lost(reason instanceof Error ? reason : new Error("Connection terminated unexpectedly"));
  }

  /** Gives the connection back, to be ended. */
  #drop(lease: Lease): void {
    this.#leave?.();
    this.#leave = undefined;
    this.#lease = undefined;
    lease.abandon();
  }

  /** Whether the connection is gone. */
  #failed(lease: Lease, error: unknown, inTransaction: boolean): boolean {
    if (!usable(lease.client)) this.#end(lease, error);
    // The next statement finds the primary again.
    else if (this.#lease === lease && !inTransaction && this.#state.movable && codeOf(error) === READ_ONLY)
      this.#drop(lease);
    return this.#lease !== lease;
  }

  #noteStatus(client: LentClient): void {
    if (this.#lease?.client !== client || !usable(client)) return;
    const status = client.getTransactionStatus?.() ?? this.#status;
    this.#open = status === "T" || status === "E";
  }
}

function usable({ _queryable, _ending, connection }: LentClient): boolean {
  return _queryable !== false && _ending !== true && connection?.stream?.destroyed !== true;
}

function quiet(client: LentClient): Promise<void> {
  return new Promise((resolve) => {
    if (isBusy(client)) whenQuiet(client, resolve);
    else resolve();
  });
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null ? (error as { readonly code?: unknown }).code : undefined;
}
