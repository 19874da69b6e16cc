/**
 * What a `Database` does with more than one statement, or with more rows than one answer should hold.
 */
import { type CallOptions, checkTransaction } from "./call-options.ts";
import type { Clock } from "../waiting/clock.ts";
import type { Access, OperationContext, TransactionOptions } from "../contract/operation.ts";
import { queryOperation } from "../contract/operation.ts";
import type { Connection, Pool, QueryResult, Statement } from "../contract/pool.ts";
import {
  copyAccess,
  copyInto,
  copyOut,
  type CopySource,
  type CopyTable,
  copyText,
  piecesOf,
  piecesOut,
} from "./copy.ts";
import { deferred } from "./deferred.ts";
import { LentStream } from "./lent-stream.ts";
import type { Listening, ListenOptions, Notification, Subscription } from "./listening.ts";
import { notification } from "./notify.ts";
import { checkStream, rowsOf, type StreamOptions } from "./row-stream.ts";
import { Single } from "./single.ts";
import { type Pieces, type Source, Sources } from "./source.ts";
import { apart, toStatement, toStatements, withoutValues } from "./statement.ts";
import { refuseCommit, refuseCommits, runAll, runMany } from "./together.ts";

/** Options of a call that is a transaction. */
export type BulkOptions = CallOptions & TransactionOptions;

/** The part of a `Database` that works on many statements and rows. */
export abstract class Bulk extends Single<
  [values?: readonly unknown[] | CallOptions | undefined, options?: CallOptions | undefined]
> {
  /** The stack behind it. */
  abstract readonly pool: Pool;
  protected abstract readonly clock: Clock;
  /** Whether the stack finds out what became of a transaction whose answer was lost. */
  protected abstract readonly resolves: boolean;
  protected abstract readonly listening: Listening;
  abstract context(options: CallOptions | undefined, access: () => Access): OperationContext;

  protected get poolName(): string {
    return this.pool.name;
  }

  /**
   * Runs statements in one round trip, where the driver can, and all or nothing. Resolves to their results, in order.
   *
   * One that fails rejects with the driver's own error, whose place `failedIndex(error)` tells. Where the stack resolves
   * commits, statements that write are run as a transaction that can be resolved, which takes two round trips more;
   * `exactlyOnce: false` spares them.
   * @throws UsageError when one of them commits.
   */
  async batch<Row = Record<string, unknown>>(
    statements: Iterable<string | Statement>,
    options: BulkOptions = {},
  ): Promise<QueryResult<Row>[]> {
    const { pool } = this;
    const made = toStatements(pool.name, statements);
    refuseCommits(pool.name, made, pool.dialect);
    const { begins, call } = checkTransaction(options);
    const reads = (): boolean => made.every(({ text }) => pool.dialect.classify(text) === "read");
    const context = this.context(call, () => (begins.readOnly === true || reads() ? "read" : "write"));
    if (made.length === 0) return [];
    const run = async (connection: Connection): Promise<QueryResult<Row>[]> =>
      (await runAll(connection, made, pool)) as QueryResult<Row>[];
    const resolved =
      context.access === "write" && this.resolves && context.exactlyOnce !== false && !context.idempotent;
    if (resolved || Object.keys(begins).length > 0) {
      return pool.execute({ ...context, kind: "transaction", transaction: begins, run });
    }
    const all: Statement = {
      text: made.map(({ text }) => text).join(";\n"),
      values: made.flatMap(({ values = [] }) => values),
    };
    return pool.execute({ ...queryOperation<Row>(all, context), run });
  }

  /**
   * Runs one statement with many rows of values, in one transaction, many rows in a round trip. Resolves to the number of
   * rows that were changed.
   *
   * `rows` may be read as they come, also asynchronously; not more than a part is held. Only a list, or a function that
   * makes the rows anew, is run again after a failure that permits it. The row that fails is told by `failedIndex(error)`.
   * @throws UsageError when the statement has values of its own, or commits.
   */
  async executeMany(
    statement: string | Statement,
    rows: Source<readonly unknown[]>,
    options: BulkOptions = {},
  ): Promise<number> {
    const { name, dialect } = this.pool;
    const made = withoutValues(name, statement);
    refuseCommit(name, made, dialect);
    const sources = new Sources(name, "the rows of executeMany()", rows);
    return this.#send(sources, options, (connection, all) => runMany(connection, made, all, name));
  }

  /**
   * Reads the rows of one statement as they are needed, over a cursor: `for await (const row of db.stream(…))`. Leaving
   * the loop gives the connection back.
   *
   * Until the first rows are there it is a call as any other, on a replica if it reads; from then on it is never run
   * again: a connection that is lost ends it with an error. `timeoutMs` bounds the wait for the first rows, `maxIdleMs` the
   * time between two parts. A statement that writes is committed when the loop ends or is left.
   * @throws OptionError when an option is unknown or out of range.
   */
  stream<Row = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[] | (CallOptions & StreamOptions),
    options?: CallOptions & StreamOptions,
  ): AsyncGenerator<Row, void, undefined> {
    const { pool } = this;
    const [given, said = {}] = apart(values, options);
    const made = toStatement(pool.name, statement, given);
    const { batchSize, maxIdleMs, ...call } = said;
    const reading = checkStream({
      ...(batchSize === undefined ? {} : { batchSize }),
      ...(maxIdleMs === undefined ? {} : { maxIdleMs }),
    });
    const access = (): Access => (pool.dialect.classify(made.text) === "read" ? "read" : "write");
    this.context(call, access);
    // Its deadline begins to run when somebody begins to read.
    return rowsOf<Row>(() =>
      new LentStream(pool, this.clock, { context: this.context(call, access), statement: made, ...reading }).open(),
    );
  }

  /**
   * Fills a table by COPY, in one transaction: a table by name, or a whole COPY … FROM STDIN, and what to send, as a stream
   * or anything else that can be iterated. Resolves to the number of rows.
   *
   * A source is read as fast as the server takes it. It is closed when the call ends before it does.
   */
  async copyFrom(
    target: string | CopyTable,
    source: CopySource | string | Uint8Array,
    options: BulkOptions = {},
  ): Promise<number> {
    const { name } = this.pool;
    const text = copyText(name, target, "FROM STDIN");
    const sources = new Sources(name, "what copyFrom() sends", piecesOf(source));
    return this.#send(sources, options, (connection, pieces) => copyInto(connection, text, pieces, name));
  }

  /**
   * Reads a table, or a whole COPY … TO STDOUT, in pieces of the database's own format, as they are needed. Leaving the
   * loop early ends the connection, for what still comes over it is of no use.
   */
  copyTo(target: string | CopyTable, options: CallOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const { pool } = this;
    const text = copyText(pool.name, target, "TO STDOUT");
    const access = (): Access => copyAccess(target, pool.dialect);
    this.context(options, access);
    const left = deferred<void>();
    return piecesOut(
      (into) =>
        pool.execute<void>({
          ...this.context(options, access),
          kind: "session",
          statement: { text },
          begun: () => into.begun,
          run: async (connection) => {
            await Promise.race([copyOut(connection, text, into, pool.name), left.promise]);
          },
        }),
      () => left.resolve(),
    );
  }

  /**
   * Listens to a channel, over one connection for all channels of this `Database`. Resolves when it is listened to.
   *
   * When the connection is lost, or the primary is another, it listens again there; `onGap` is told then, for what was sent
   * in between is never heard.
   * @throws OptionError when the channel cannot be one.
   */
  listen(
    channel: string,
    heard: (notification: Notification) => unknown,
    options: ListenOptions = {},
  ): Promise<Subscription> {
    return this.listening.listen(channel, heard, options);
  }

  /** Sends a notification to a channel. */
  async notify(channel: string, payload = "", options: CallOptions = {}): Promise<void> {
    await this.query(notification(this.pool, channel, payload), { access: "write", ...options });
  }

  async #send<T>(
    sources: Sources<T>,
    options: BulkOptions,
    run: (connection: Connection, pieces: Pieces<T>) => Promise<number>,
  ): Promise<number> {
    const { begins, call } = checkTransaction(options);
    try {
      return await this.pool.execute<number>({
        ...this.context(call, () => "write"),
        kind: "transaction",
        transaction: begins,
        run: (connection) => sources.use((pieces) => run(connection, pieces)),
      });
    } finally {
      sources.end();
    }
  }
}
