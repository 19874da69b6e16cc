/**
 * One `pg.Client` as the layer sees it.
 */
import type { DriverConnection, QueryResult, Statement, TransactionStatus } from "@breakwater/core";
import { cancelRunning } from "./cancel.ts";
import type { PgClient } from "./types.ts";

const STATUS: Readonly<Record<string, TransactionStatus>> = { I: "idle", T: "open", E: "failed" };

/** How long a polite goodbye may take before the link is cut, in milliseconds. */
const GOODBYE_MS = 1_000;

export class PgConnection implements DriverConnection {
  readonly driver: PgClient;
  /** Set when the connection must not be handed out again, whatever state it is in. */
  retired = false;
  /** Whether somebody holds it now. */
  held = true;
  readonly #giveBack: ((destroy: boolean) => void) | undefined;
  #lost = false;
  #ended = false;

  /** Without `giveBack` the client belongs to no pool, and whoever opened it keeps it. */
  constructor(client: PgClient, giveBack?: (destroy: boolean) => void) {
    this.driver = client;
    this.#giveBack = giveBack;
    // Without a listener an error of a connection in use would end the process. Its statement hears of it as well.
    client.on("error", () => {
      this.#lost = true;
    });
    client.on("end", () => {
      this.#lost = true;
      this.#ended = true;
    });
  }

  get usable(): boolean {
    const { _queryable, _ending, connection } = this.driver;
    const stream = connection?.stream;
    return (
      !this.#lost &&
      _queryable !== false &&
      _ending !== true &&
      stream?.destroyed !== true &&
      stream?.writable !== false
    );
  }

  get transactionStatus(): TransactionStatus {
    const status = this.driver.getTransactionStatus?.();
    return status === undefined || status === null ? "unknown" : (STATUS[status] ?? "unknown");
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    return new Promise((resolve, reject) => {
      this.driver.query(statement, (error, result) => {
        if (error === null || error === undefined) resolve(result as QueryResult<Row>);
        else this.#answered(() => reject(error as Error));
      });
    });
  }

  release(): void {
    if (this.#giveBack === undefined) return;
    this.held = false;
    if (this.retired) void this.#end(true);
    else this.#giveBack(false);
  }

  async destroy(cancel: boolean): Promise<void> {
    if (!this.held) return;
    const answering = this.usable;
    this.held = false;
    this.retired = true;
    // From here nobody may send anything over it, not even while the cancel request is under way.
    this.#lost = true;
    if (cancel && answering) await cancelRunning(this.driver);
    await this.#end(!answering || this.transactionStatus !== "idle" || cancel);
  }

  /** Ends the link of a connection that nobody holds. The pool hears of it as of any lost connection. */
  cut(): void {
    this.retired = true;
    this.driver.connection?.stream?.destroy();
  }

  async #end(atOnce: boolean): Promise<void> {
    const { connection } = this.driver;
    if (this.#giveBack === undefined) this.driver.end().catch(() => undefined);
    else this.#giveBack(true);
    // A polite goodbye waits for the server; one that is gone, or busy with our statement, would keep us waiting.
    if (atOnce) connection?.stream?.destroy();
    await this.gone();
  }

  /** Resolves when the link has ended: by the server's own goodbye, or cut after a limit. */
  gone(): Promise<void> {
    const stream = this.driver.connection?.stream;
    if (this.#ended || stream === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => stream.destroy(), GOODBYE_MS);
      this.driver.on("end", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /**
   * pg reports an error as soon as it arrives. Only ReadyForQuery, which follows, tells the state of the transaction and
   * proves that an autocommit statement was undone; after FATAL the connection ends instead.
   */
  #answered(then: () => void): void {
    const { connection } = this.driver;
    const ready = (this.driver as { readonly readyForQuery?: boolean }).readyForQuery;
    if (connection === undefined || ready !== false || !this.usable) {
      then();
      return;
    }
    const once = (): void => {
      connection.removeListener("readyForQuery", once);
      connection.removeListener("end", once);
      then();
    };
    connection.once("readyForQuery", once);
    connection.once("end", once);
  }
}
