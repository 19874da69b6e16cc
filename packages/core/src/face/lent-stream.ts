/**
 * A stream that has a connection, and a transaction on it, to itself.
 */
import type { Clock, Timer } from "../waiting/clock.ts";
import { TimeoutError } from "../contract/errors.ts";
import type { OperationContext } from "../contract/operation.ts";
import type { Connection, Pool, Statement } from "../contract/pool.ts";
import { deferred } from "./deferred.ts";
import { beginFor, type Cursor, openCursor, type Part, type Parts } from "./row-stream.ts";

/** What a stream is to read, and how. */
export interface Reading {
  readonly context: OperationContext;
  readonly statement: Statement;
  readonly batchSize: number;
  readonly maxIdleMs?: number;
}

export class LentStream implements Parts {
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #reading: Reading;
  readonly #opened = deferred<Part>();
  first: Part = { rows: [], done: true };
  failed: { readonly error: unknown } | undefined;
  // The caller has had rows of it: from here on nobody may run it again.
  #begun = false;
  #cursor: Cursor | undefined;
  // The reader needs no more.
  #finished = deferred<void>();
  // It ends without its reader.
  #broken = deferred<never>();
  #settled: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;

  constructor(pool: Pool, clock: Clock, reading: Reading) {
    this.#pool = pool;
    this.#clock = clock;
    this.#reading = reading;
  }

  /** Gets a connection and the first rows. Until they are there the call may be run again, as a query may. */
  async open(): Promise<Parts> {
    const { context, statement } = this.#reading;
    this.#settled = this.#pool
      .execute<void>({
        ...context,
        kind: "session",
        statement,
        begun: () => this.#begun,
        run: (connection) => this.#run(connection),
      })
      .catch((error: unknown) => {
        this.failed = { error };
        this.#opened.reject(error);
      })
      .finally(() => this.#timer?.cancel());
    this.first = await this.#opened.promise;
    // All of it is here, and others can have the connection before the first row is looked at.
    if (this.first.done) await this.end();
    return this;
  }

  async read(): Promise<Part> {
    this.#timer?.cancel();
    if (this.failed !== undefined) throw this.failed.error;
    try {
      const part = await (this.#cursor as Cursor).read();
      if (part.done) await this.end();
      else this.#limitIdling();
      return part;
    } catch (error) {
      this.#broken.reject(error);
      await this.#settled;
      throw this.failed === undefined ? error : (this.failed as { readonly error: unknown }).error;
    }
  }

  async end(): Promise<void> {
    this.#timer?.cancel();
    this.#finished.resolve();
    // When the loop is left the connection is back, or gone.
    await this.#settled;
    if (this.failed !== undefined) throw this.failed.error;
  }

  async #run(connection: Connection): Promise<void> {
    this.#broken = deferred();
    const { deadline } = this.#reading.context;
    if (deadline !== Number.POSITIVE_INFINITY) {
      // It bounds the wait for the first rows; how long all of them take is the reader's own affair.
      const late = (): void => this.#break("the first rows were not there in time");
      this.#timer = this.#clock.setTimer(deadline - this.#clock.now(), late);
    }
    try {
      await Promise.race([this.#serve(connection), this.#broken.promise]);
    } finally {
      this.#timer?.cancel();
    }
  }

  async #serve(connection: Connection): Promise<void> {
    const { context, statement, batchSize } = this.#reading;
    const { dialect, name } = this.#pool;
    const end = await beginFor(connection, dialect);
    this.#cursor = openCursor(connection, statement, batchSize, name);
    const part = await this.#cursor.read();
    this.#timer?.cancel();
    // What only reads has nothing to commit, and nobody needs an answer to know that it is over.
    const over = (): Promise<void> => (context.access === "read" ? end(false).catch(() => undefined) : end(true));
    if (part.done) await over();
    this.#begun = true;
    this.#opened.resolve(part);
    if (part.done) return;
    this.#limitIdling();
    await this.#finished.promise;
    await over();
  }

  #limitIdling(): void {
    const { maxIdleMs } = this.#reading;
    if (maxIdleMs === undefined) return;
    this.#timer = this.#clock.setTimer(maxIdleMs, () => this.#break(`nobody read on for ${maxIdleMs} ms`));
  }

  #break(why: string): void {
    this.#broken.reject(
      new TimeoutError(this.#pool.name, why, {
        phase: "running",
        effect: "none",
        retry: "never",
        blames: "caller",
        connection: "destroy",
        reason: why,
      }),
    );
  }
}
