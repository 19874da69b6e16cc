/**
 * What people do on one connection, whoever holds it: the same for a borrowed one and for a transaction.
 */
import { UsageError } from "../contract/errors.ts";
import type { Connection, QueryResult, Statement } from "../contract/pool.ts";
import { copyInto, copyOut, type CopySource, type CopyTable, copyText, piecesOf, piecesOut } from "./copy.ts";
import { notification } from "./notify.ts";
import { beginFor, checkHeldStream, isInTransaction, openCursor, type Part, type Parts, rowsOf } from "./row-stream.ts";
import { Single } from "./single.ts";
import { type Source, Sources } from "./source.ts";
import { apart, toStatement, toStatements, withoutValues } from "./statement.ts";
import { atomically, type FaceHost, refuseCommit, refuseCommits, runAll, runMany } from "./together.ts";

/** What takes a connection up, and how it is made to leave it. */
interface Taking {
  readonly by: string;
  leave?(): void;
}

function unread(name: string): UsageError {
  return new UsageError(name, "the transaction ended before all of its copyTo() had been read");
}

/** Connections that are taken up by something that is being read from them. Parts of a transaction share theirs. */
const taken = new WeakMap<Connection, Taking>();

/** One connection, as service code uses it. What is done on it is never repeated by itself. */
export abstract class ConnectionFace extends Single<[values?: readonly unknown[]]> {
  /** What it belongs to. */
  protected readonly host: FaceHost;

  constructor(host: FaceHost) {
    super();
    this.host = host;
  }

  protected get poolName(): string {
    return this.host.name;
  }

  /** The connection. @throws UsageError when it must not be used now. */
  protected abstract use(): Connection;

  /** Runs one statement on this connection. */
  query<Row = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    try {
      return this.free().query<Row>(toStatement(this.host.name, statement, values));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Runs statements in one round trip, where the driver can. Outside a transaction they are one. See `Database.batch`. */
  async batch<Row = Record<string, unknown>>(statements: Iterable<string | Statement>): Promise<QueryResult<Row>[]> {
    const made = toStatements(this.host.name, statements);
    refuseCommits(this.host.name, made, this.host.dialect);
    return (await runAll(this.free(), made, this.host)) as QueryResult<Row>[];
  }

  /** Runs one statement with many rows of values. Outside a transaction they are one. See `Database.executeMany`. */
  async executeMany(statement: string | Statement, rows: Source<readonly unknown[]>): Promise<number> {
    const { name, dialect } = this.host;
    const made = withoutValues(name, statement);
    refuseCommit(name, made, dialect);
    const sources = new Sources(name, "the rows of executeMany()", rows);
    const connection = this.free();
    const run = (): Promise<number> => sources.use((all) => runMany(connection, made, all, name));
    try {
      return await ((await isInTransaction(connection, made.text)) ? run() : atomically(connection, dialect, run));
    } finally {
      sources.end();
    }
  }

  /**
   * Reads the rows of one statement a part at a time. In a transaction other statements, and other streams, may run
   * meanwhile; outside one the stream is a transaction of its own, and the connection is free again when it ends.
   * @throws OptionError when `batchSize` is out of range.
   */
  stream<Row = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[] | { readonly batchSize?: number },
    options?: { readonly batchSize?: number },
  ): AsyncGenerator<Row, void, undefined> {
    const [given, said] = apart(values, options);
    const made = toStatement(this.host.name, statement, given);
    const { batchSize } = checkHeldStream(said ?? {});
    return rowsOf<Row>(() => this.#openStream(made, batchSize));
  }

  /** Fills a table by COPY. See `Database.copyFrom`. Resolves to the number of rows. */
  async copyFrom(target: string | CopyTable, source: CopySource | string | Uint8Array): Promise<number> {
    const { name } = this.host;
    const text = copyText(name, target, "FROM STDIN");
    const sources = new Sources(name, "what copyFrom() sends", piecesOf(source));
    try {
      const connection = this.free();
      return await sources.use((pieces) => copyInto(connection, text, pieces, name));
    } finally {
      sources.end();
    }
  }

  /**
   * Reads by COPY. Nothing else can be done on the connection until the reading ends; when it is left early, what is
   * still to come is thrown away.
   */
  copyTo(target: string | CopyTable): AsyncGenerator<Uint8Array, void, undefined> {
    const { name } = this.host;
    const text = copyText(name, target, "TO STDOUT");
    return piecesOut(
      async (into) => {
        const connection = this.free();
        taken.set(connection, { by: "a copyTo()", leave: () => into.refuse(unread(name)) });
        try {
          return await copyOut(connection, text, into, name);
        } finally {
          taken.delete(connection);
        }
      },
      () => undefined,
    );
  }

  /** Sends a notification; inside a transaction, when that is committed. */
  async notify(channel: string, payload = ""): Promise<void> {
    await this.query(notification(this.host, channel, payload));
  }

  /** The connection, for a statement. @throws UsageError when a statement would have to wait for its own reader. */
  protected free(): Connection {
    const connection = this.use();
    const by = taken.get(connection)?.by;
    if (by === undefined) return connection;
    throw new UsageError(this.host.name, `the connection is taken by ${by}; end that first, or use another connection`);
  }

  /** Ends what is still being read from a connection and would keep it for ever; says what that is, if anything. */
  protected leave(connection: Connection): string | undefined {
    const taking = taken.get(connection);
    if (taking?.leave === undefined) return undefined;
    taking.leave();
    return taking.by;
  }

  async #openStream(statement: Statement, batchSize: number): Promise<Parts> {
    const connection = this.free();
    const { name, dialect } = this.host;
    const inside = await isInTransaction(connection, statement.text);
    let end: ((well: boolean) => Promise<void>) | undefined;
    if (!inside) {
      taken.set(this.free(), { by: "a stream outside a transaction" });
      end = await beginFor(connection, dialect).catch((error: unknown) => {
        taken.delete(connection);
        throw error;
      });
    }
    const cursor = openCursor(connection, statement, batchSize, name);
    let over = false;
    const finish = async (well: boolean): Promise<void> => {
      if (over) return;
      over = true;
      try {
        await end?.(well);
      } finally {
        if (end !== undefined) taken.delete(connection);
      }
    };
    const read = async (): Promise<Part> => {
      try {
        const part = await cursor.read();
        if (part.done) await finish(true);
        return part;
      } catch (error) {
        await finish(false).catch(() => undefined);
        throw error;
      }
    };
    return {
      first: await read(),
      read,
      end: async () => {
        // Its transaction ends it; in one that goes on, it is ended by itself, if the transaction has not ended or failed.
        if (!over && inside) await cursor.close().catch(() => undefined);
        await finish(true);
      },
    };
  }
}
