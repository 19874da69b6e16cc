/**
 * One connection of mysql2 as the layer sees it.
 */
import {
  type ConnectionHome,
  type DriverConnection,
  type DriverCursor,
  type QueryResult,
  type Statement,
  type TransactionStatus,
  UsageError,
} from "@breakwater/core";
import { commandOf, forgetSession, mysql } from "@breakwater/mysql";
import { killRunning } from "./cancel.ts";
import { connectionLost, ended } from "./ended.ts";
import { type InsertHost, insertMany } from "./insert-many.ts";
import type { Mysql2ConnectionOptions } from "./options.ts";
import { type Part, Reading } from "./reading.ts";
import { resultOf } from "./result.ts";
import { type Rendered, rendered, Statements } from "./statements.ts";
import { ServerStatus } from "./status.ts";
import type { Mysql2Client } from "./types.ts";

/** How long the rest of a result that nobody reads may take to come before a rollback cuts the link, in milliseconds. */
const DRAIN_MS = 1_000;

export class Mysql2Connection implements DriverConnection {
  readonly driver: Mysql2Client;
  /** Whether somebody holds it now. */
  held = true;
  readonly #home: ConnectionHome | undefined;
  readonly #options: Mysql2ConnectionOptions;
  readonly #status: ServerStatus;
  readonly #statements: Statements;
  #lost = false;
  #going: Promise<void> | undefined;
  #running: string | undefined;
  #reading: Reading | undefined;
  #refusal: { readonly error: unknown } | undefined;
  // The server has rolled back the transaction that was open, because of this error. Until that is acknowledged by ROLLBACK,
  // a statement would be committed by itself.
  #undone: { readonly by: unknown } | undefined;

  /** Without a home the connection belongs to no pool, and whoever opened it keeps it. */
  constructor(client: Mysql2Client, options: Mysql2ConnectionOptions, home?: ConnectionHome) {
    this.driver = client;
    this.#options = options;
    this.#statements = new Statements(options.prepare);
    this.#home = home;
    this.#status = new ServerStatus(client);
    // Without a listener an error of a connection in use would end the process. Its statement hears of it as well.
    client.on("error", this.#onLost);
    client.on("end", this.#onLost);
  }

  readonly #onLost = (error: unknown = connectionLost()): void => {
    if (this.#lost) return;
    this.#lost = true;
    // mysql2 tells it those who wait with a callback, and nobody else.
    this.#reading?.lost(error);
    if (!this.held) this.#home?.lost(this, error);
  };

  get usable(): boolean {
    const { _closing, _fatalError, _protocolError, stream } = this.driver;
    const closed = _closing === true || Boolean(_fatalError) || Boolean(_protocolError);
    return !this.#lost && !closed && stream.destroyed !== true && stream.writable !== false;
  }

  get transactionStatus(): TransactionStatus {
    const between = this.#running === undefined && this.#reading?.open === true;
    if (this.#running !== undefined || (this.#status.busy && !between)) return "unknown";
    if (this.#undone !== undefined) return "failed";
    return this.#status.inTransaction ? "open" : "idle";
  }

  refused(error: unknown): boolean {
    return this.#refusal !== undefined && this.#refusal.error === error;
  }

  async query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    this.#refusal = undefined;
    if (this.#reading?.open === true) await this.#leave(this.#reading, statement.text);
    if (statement.parts === undefined) return (await this.#one(statement)) as QueryResult<Row>;
    // mysql2 sends no text of several statements, unless the user wants that for his own.
    const results: QueryResult[] = [];
    for (const part of statement.parts) results.push(await this.#one(part));
    return results as unknown as QueryResult<Row>;
  }

  /** Many rows of an INSERT at once, where that means the same; else they go one by one. */
  executeMany(text: string, rows: readonly (readonly unknown[])[]): Promise<number | undefined> | undefined {
    if (this.transactionStatus !== "open") return undefined;
    const { prepare } = this.#options;
    // It may be ended between two statements, and nobody else would stop the second.
    const run: InsertHost["run"] = async (made, values, failed) => {
      this.#refusal = undefined;
      if (!this.usable) throw connectionLost();
      return await this.#one({ text: made, values }, (error) => failed?.(error, (asked) => run(asked, [])));
    };
    const forget = (made: string): void => {
      if (this.usable) this.driver.unprepare?.({ sql: made, rowsAsArray: false });
    };
    return insertMany({ prepare, run, forget }, text, rows);
  }

  async #one(statement: Statement, failed?: (error: unknown) => Promise<void> | undefined): Promise<QueryResult> {
    const made = rendered(statement);
    if (this.#undone !== undefined) return await this.#afterUndone(made.text);
    const wasOpen = this.#status.inTransaction;
    try {
      return await this.#send(made);
    } catch (error) {
      await failed?.(error);
      await this.#learn(error, made.text, wasOpen);
      throw error;
    }
  }

  /** Rows as they come. Until the last of them, nothing else can be run but what ends their transaction. */
  cursor(statement: Statement): DriverCursor {
    const made = rendered(statement);
    const reading = new Reading((batchSize) => {
      this.#reading = reading;
      return this.#sent(() => {
        const { prepared, given } = this.#statements.given(made);
        const command = prepared ? this.driver.execute(given) : this.driver.query(given);
        return command.stream({ highWaterMark: batchSize });
      });
    });
    const wasOpen = this.#status.inTransaction;
    const read = async (count: number): Promise<Part> => {
      this.#refusal = undefined;
      if (this.#reading !== reading) {
        if (this.#reading?.open === true) throw this.#refuse();
        if (this.#undone !== undefined) await this.#afterUndone(made.text);
        if (!this.usable) throw connectionLost();
      }
      this.#running = made.text;
      try {
        return await reading.read(count);
      } catch (error) {
        this.#running = undefined;
        await this.#learn(error, made.text, wasOpen);
        throw error;
      } finally {
        this.#running = undefined;
      }
    };
    return { read, close: () => reading.drain() };
  }

  /** Somebody goes on before a result has been read to its end. */
  async #leave(reading: Reading, text: string): Promise<void> {
    const rollback = /^\s*ROLLBACK\s*$/i.test(text);
    if (!rollback && commandOf(text) !== "COMMIT") throw this.#refuse();
    // What is rolled back is so as well by a link that is cut.
    const timer = rollback ? setTimeout(() => this.driver.stream.destroy(), DRAIN_MS) : undefined;
    await reading.drain();
    clearTimeout(timer);
  }

  #refuse(): UsageError {
    const error = new UsageError(
      this.#options.name,
      "a stream has rows on its connection that have not been read: MySQL sends a result to its end before anything else; " +
        "read or leave the stream first, or use another connection",
    );
    this.#refusal = { error };
    return error;
  }

  /** Finds out what an error has left of the transaction. */
  async #learn(error: unknown, text: string, wasOpen: boolean): Promise<void> {
    if (this.#mayHaveChanged(error, text, wasOpen)) await this.#askStatus();
    if (wasOpen && !this.#status.inTransaction && this.usable) this.#undone = { by: error };
  }

  /** The transaction is not there any more: it can only be ended, and COMMIT does not mean what it did. */
  async #afterUndone(text: string): Promise<QueryResult> {
    const command = commandOf(text);
    if (/^\s*ROLLBACK\s*$/i.test(text) || command === "COMMIT") {
      const answer = await this.#send({ text: "ROLLBACK", values: [] });
      this.#undone = undefined;
      return answer;
    }
    const error = new Error("the server has rolled the transaction back; only ROLLBACK can follow", {
      cause: this.#undone?.by,
    });
    this.#refusal = { error };
    throw error;
  }

  /** An error does not say whether the transaction is still open: a deadlock ends it, a duplicate key does not. */
  #mayHaveChanged(error: unknown, text: string, wasOpen: boolean): boolean {
    if (!this.usable || this.refused(error)) return false;
    return wasOpen || !this.#status.autocommits || mysql.commits(text) || mysql.commitsInParts?.(text) === true;
  }

  async #askStatus(): Promise<void> {
    // When that fails too, the connection is lost, and known to be.
    await this.#send({ text: "DO 0", values: [] }).catch(() => this.driver.stream.destroy());
  }

  #send(statement: Rendered): Promise<QueryResult> {
    const { text } = statement;
    return new Promise((resolve, reject) => {
      let over = false;
      const answered = (error: unknown, rows: unknown, fields?: unknown): void => {
        // When the link is lost while it prepares, mysql2 tells it for both of its commands.
        if (over) return;
        over = true;
        this.#running = undefined;
        if (error) {
          reject(error);
          return;
        }
        this.#status.answered(rows);
        resolve(resultOf(text, rows, fields));
      };
      try {
        this.#sent(() => {
          const { prepared, given } = this.#statements.given(statement);
          this.#running = text;
          if (prepared) this.driver.execute(given, answered);
          else this.driver.query(given, answered);
        });
      } catch (error) {
        answered(error, undefined);
      }
    });
  }

  /** Sends something; what mysql2 throws meanwhile it has refused. */
  #sent<T>(send: () => T): T {
    try {
      return send();
    } catch (error) {
      this.#refusal = { error };
      throw error;
    }
  }

  taken(): void {
    this.held = true;
    if (this.#options.background) this.driver.stream.ref?.();
  }

  /** A new session on the same link: variables, temporary tables, locks and prepared statements are gone. */
  async reset(): Promise<void> {
    const { driver } = this;
    forgetSession(driver);
    await new Promise<void>((resolve, reject) => {
      const done = (error: unknown): void => (error ? reject(error) : resolve());
      if (driver.reset === undefined) driver.changeUser({}, done);
      else driver.reset(done);
    });
    this.#statements.forget();
    this.#undone = undefined;
    this.#status.reset();
  }

  release(): void {
    if (this.#home === undefined) return;
    this.held = false;
    if (this.#options.background) this.driver.stream.unref?.();
    this.#home.released(this);
  }

  destroy(cancel: boolean): Promise<void> {
    // Whoever else wants it gone waits for the same end.
    if (this.#going === undefined && !this.held) return Promise.resolve();
    this.#going ??= this.#destroy(cancel);
    return this.#going;
  }

  async #destroy(cancel: boolean): Promise<void> {
    const { threadId } = this.driver;
    const answering = this.usable;
    const running = this.#running;
    const atOnce = !answering || this.transactionStatus !== "idle" || cancel;
    this.held = false;
    // From here nobody may send anything over it, not even while the server is asked to stop.
    this.#lost = true;
    if (cancel && answering && running !== undefined && threadId !== null)
      await killRunning(this.#options.beside, threadId, running);
    // A polite goodbye waits for the server; one that is gone, or busy with our statement, would keep us waiting.
    if (atOnce) this.driver.stream.destroy();
    else this.driver.end(() => undefined);
    this.#home?.gone(this);
    await this.gone();
  }

  /** Resolves when the link has ended: by the goodbye, or cut after a limit. */
  gone(): Promise<void> {
    return ended(this.driver.stream);
  }
}
