/**
 * One view of a PGlite's session as the layer sees it.
 */
import type {
  ConnectionHome,
  DriverConnection,
  DriverCursor,
  DriverNotification,
  QueryResult,
  Statement,
  TransactionStatus,
} from "@breakwater/core";
import type { Backend } from "./backend.ts";
import { gathered, handOn, throughBlob, waitsForRows } from "./copy.ts";
import { SqlCursor } from "./cursor.ts";
import { resultOf } from "./results.ts";
import type { PgliteInstance, PgliteResult } from "./types.ts";

const ROLLED_BACK_TO = /^\s*ROLLBACK\b[^;]*\bTO\b/i;

export class PgliteConnection implements DriverConnection {
  readonly #backend: Backend;
  readonly #home: ConnectionHome | undefined;
  readonly #names = new Map<string, string>();
  readonly #lostListeners = new Set<(error: unknown) => void>();
  #running = false;
  #gone = false;
  #status: TransactionStatus = "idle";
  #refusal: { readonly error: unknown } | undefined;

  /** Without a home it belongs to whoever opened it. */
  constructor(backend: Backend, home: ConnectionHome | undefined) {
    this.#backend = backend;
    this.#home = home;
  }

  get driver(): PgliteInstance {
    return this.#backend.instance;
  }

  get usable(): boolean {
    return !this.#gone && !this.#backend.closed;
  }

  get transactionStatus(): TransactionStatus {
    return this.#running ? "unknown" : this.#status;
  }

  async query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    return (await this.#inTurn(statement.text, () => this.#run(statement))) as QueryResult<Row>;
  }

  /** Waits for the session, and follows what a text does to its transaction. */
  async #inTurn<T>(text: string, run: () => Promise<T>): Promise<T> {
    this.#refusal = undefined;
    this.#running = true;
    await this.#backend.turn(this);
    try {
      if (this.#gone) throw new Error("the connection has been given up");
      const answer = await run();
      this.#followed(text, undefined);
      return answer;
    } catch (error) {
      this.#followed(text, error);
      // What the server says has a code. All else is PGlite's own, before it has sent anything to be carried out.
      if (!isServerError(error)) this.#refusal = { error };
      throw error;
    } finally {
      this.#running = false;
      this.#backend.done(this, this.#gone || this.#status === "idle");
    }
  }

  async #run({ text, values = [], name, rowMode }: Statement): Promise<QueryResult> {
    if (waitsForRows(text)) throw new TypeError("COPY FROM STDIN is not a statement here; use copyFrom()");
    if (name !== undefined) this.#claim(name, text);
    const options = {
      ...(rowMode === undefined ? {} : { rowMode }),
      onNotice: (notice: unknown) => this.#home?.notice(notice),
    };
    if (values.length > 0 || name !== undefined)
      return resultOf(await this.driver.query(text, [...values] as never[], options), text);
    const results = await this.driver.exec(text, options);
    const [only] = results;
    // As with `pg`: a text of several statements is answered with an array.
    if (results.length === 1 && only !== undefined) return resultOf(only, text);
    return results.map((result) => resultOf(result, "")) as unknown as QueryResult;
  }

  /** Nothing is kept under it, but code that means two statements by one name is wrong with every driver. */
  #claim(name: string, text: string): void {
    const taken = this.#names.get(name);
    if (taken !== undefined && taken !== text)
      throw new Error(`Prepared statements must be unique - '${name}' was used for a different statement`);
    this.#names.set(name, text);
  }

  #followed(text: string, error: unknown): void {
    const inTransaction = this.driver.isInTransaction?.() ?? false;
    if (!inTransaction) this.#status = "idle";
    else if (isServerError(error)) this.#status = "failed";
    // In a transaction that has failed, nothing succeeds but going back to where it had not.
    else if (this.#status !== "failed" || (error === undefined && ROLLED_BACK_TO.test(text))) this.#status = "open";
    if (error === undefined && /^\s*(?:DISCARD|DEALLOCATE)\b/i.test(text)) this.#names.clear();
  }

  cursor(statement: Statement): DriverCursor {
    return new SqlCursor((part) => this.query<unknown>(part), statement);
  }

  /** All of it is read before the database gets any of it. */
  async copyFrom(text: string, source: AsyncIterable<Uint8Array | string>): Promise<number> {
    const blob = await gathered(source);
    return rowsOf(await this.#copy(text, "from", { blob }));
  }

  async copyTo(text: string, take: (chunk: Uint8Array) => Promise<void> | undefined): Promise<number> {
    const answer = await this.#copy(text, "to", {});
    if (answer.blob !== undefined) await handOn(answer.blob, take);
    return rowsOf(answer);
  }

  #copy(text: string, direction: "from" | "to", options: { readonly blob?: Blob }): Promise<PgliteResult> {
    const onNotice = (notice: unknown): void => this.#home?.notice(notice);
    return this.#inTurn(text, () => this.driver.query(throughBlob(text, direction), [], { ...options, onNotice }));
  }

  refused(error: unknown): boolean {
    return this.#refusal !== undefined && this.#refusal.error === error;
  }

  onNotification(heard: (notification: DriverNotification) => void, lost: (error: unknown) => void): () => void {
    // PGlite does not tell which process sent it: there is but one.
    const forget = this.driver.onNotification?.((channel, payload) => heard({ channel, payload, processId: 0 }));
    this.#lostListeners.add(lost);
    return () => {
      forget?.();
      this.#lostListeners.delete(lost);
    };
  }

  async reset(): Promise<void> {
    await this.query({ text: "DISCARD ALL" });
  }

  release(): void {
    this.#home?.released(this);
  }

  /** A statement that runs cannot be stopped: nobody gets the session before it has ended. */
  destroy(): Promise<void> {
    if (this.#gone) return Promise.resolve();
    this.#gone = true;
    for (const lost of this.#lostListeners) lost(new Error("the connection has been given up"));
    this.#backend.left(this, this.#running);
    this.#home?.gone(this);
    return Promise.resolve();
  }
}

/** How many rows a COPY has had. */
function rowsOf({ rowCount, affectedRows }: PgliteResult): number {
  return rowCount ?? affectedRows ?? 0;
}

function isServerError(error: unknown): boolean {
  return typeof error === "object" && error !== null && "severity" in error && "code" in error;
}
