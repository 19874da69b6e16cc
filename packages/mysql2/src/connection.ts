/**
 * One connection of mysql2 as the layer sees it.
 */
import { type ConnectionHome, type DriverConnection, type QueryResult, Sql, type Statement } from "@breakwater/core";
import type { TransactionStatus } from "@breakwater/core";
import { commandOf, forgetSession, mysql, mysqlStyle } from "@breakwater/mysql";
import { killRunning } from "./cancel.ts";
import { resultOf } from "./result.ts";
import { ServerStatus } from "./status.ts";
import type { Mysql2Client } from "./types.ts";
import { bindable } from "./values.ts";

/** How long a polite goodbye may take before the link is cut, in milliseconds. */
const GOODBYE_MS = 1_000;

/** How long a link that was cut may take to say so, in milliseconds. */
const CUT_MS = 100;

/** What one connection is made with. */
export interface Mysql2ConnectionOptions {
  /** Whether values travel beside the text, by prepared statements, and are not written into it. */
  readonly prepare: boolean;
  /** Most calls that it serves; 0 for no limit. Counted by the store. */
  readonly background: boolean;
  /** Opens a second connection to the same server. */
  readonly beside: () => Mysql2Client;
}

export class Mysql2Connection implements DriverConnection {
  readonly driver: Mysql2Client;
  /** Whether somebody holds it now. */
  held = true;
  readonly #home: ConnectionHome | undefined;
  readonly #options: Mysql2ConnectionOptions;
  readonly #status: ServerStatus;
  readonly #names = new Map<string, string>();
  #lost = false;
  #going: Promise<void> | undefined;
  #running: string | undefined;
  #refusal: { readonly error: unknown } | undefined;
  // The server has rolled back the transaction that was open, because of this error. Until that is acknowledged by ROLLBACK,
  // a statement would be committed by itself.
  #undone: { readonly by: unknown } | undefined;

  /** Without a home the connection belongs to no pool, and whoever opened it keeps it. */
  constructor(client: Mysql2Client, options: Mysql2ConnectionOptions, home?: ConnectionHome) {
    this.driver = client;
    this.#options = options;
    this.#home = home;
    this.#status = new ServerStatus(client);
    // Without a listener an error of a connection in use would end the process. Its statement hears of it as well.
    client.on("error", this.#onLost);
    client.on("end", this.#onLost);
  }

  readonly #onLost = (error: unknown = new Error("Connection lost: The server closed the connection.")): void => {
    if (this.#lost) return;
    this.#lost = true;
    if (!this.held) this.#home?.lost(this, error);
  };

  get usable(): boolean {
    const { _closing, _fatalError, _protocolError, stream } = this.driver;
    const closed = _closing === true || Boolean(_fatalError) || Boolean(_protocolError);
    return !this.#lost && !closed && stream.destroyed !== true && stream.writable !== false;
  }

  get transactionStatus(): TransactionStatus {
    if (this.#running !== undefined || this.#status.busy) return "unknown";
    if (this.#undone !== undefined) return "failed";
    return this.#status.inTransaction ? "open" : "idle";
  }

  refused(error: unknown): boolean {
    return this.#refusal !== undefined && this.#refusal.error === error;
  }

  async query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    this.#refusal = undefined;
    if (statement.parts === undefined) return (await this.#one(statement)) as QueryResult<Row>;
    // mysql2 sends no text of several statements, unless the user wants that for his own.
    const results: QueryResult[] = [];
    for (const part of statement.parts) results.push(await this.#one(part));
    return results as unknown as QueryResult<Row>;
  }

  async #one(statement: Statement): Promise<QueryResult> {
    const { text, values = [] } = statement instanceof Sql ? statement.render(mysqlStyle) : statement;
    if (this.#undone !== undefined) return await this.#afterUndone(text);
    const wasOpen = this.#status.inTransaction;
    try {
      return await this.#send({ ...statement, text, values });
    } catch (error) {
      if (this.#mayHaveChanged(error, text, wasOpen)) await this.#askStatus();
      if (wasOpen && !this.#status.inTransaction && this.usable) this.#undone = { by: error };
      throw error;
    }
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

  #send(statement: Statement & { readonly values: readonly unknown[] }): Promise<QueryResult> {
    const { text, name } = statement;
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
        const prepared = name !== undefined || (this.#options.prepare && statement.values.length > 0);
        const values = bindable(statement.values, !prepared);
        if (name !== undefined) this.#claim(name, text);
        const given = { sql: text, values, rowsAsArray: statement.rowMode === "array" };
        this.#running = text;
        if (prepared) this.driver.execute(given, answered);
        else this.driver.query(values.length === 0 ? { ...given, values: undefined as never } : given, answered);
      } catch (error) {
        this.#refusal = { error };
        answered(error, undefined);
      }
    });
  }

  /** @throws Error when the name is another text's already: who uses it means that one. */
  #claim(name: string, text: string): void {
    const known = this.#names.get(name);
    if (known !== undefined && known !== text)
      throw new Error(`prepared statement "${name}" has another text on this connection`);
    this.#names.set(name, text);
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
    this.#names.clear();
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
    const { stream } = this.driver;
    if (stream.destroyed === true) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        stream.removeListener("close", end);
        resolve();
      };
      let timer = setTimeout(() => {
        stream.destroy();
        // A stream of the user's own making may not say that it has ended.
        timer = setTimeout(end, CUT_MS);
      }, GOODBYE_MS);
      stream.once("close", end);
    });
  }
}
