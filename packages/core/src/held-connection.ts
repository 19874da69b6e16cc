/**
 * A connection that somebody holds until they give it back.
 */
import { UsageError } from "./errors.ts";
import type { Connection, QueryResult, Statement } from "./pool.ts";
import { toStatement } from "./transaction.ts";

/** A borrowed connection. */
export class HeldConnection {
  readonly #pool: string;
  readonly #connection: Connection;
  #done: (() => void) | undefined;

  constructor(pool: string, connection: Connection, done: () => void) {
    this.#pool = pool;
    this.#connection = connection;
    this.#done = done;
  }

  /** The driver's own connection. */
  get driver(): unknown {
    return this.#connection.driver;
  }

  /** Runs one statement on this connection. */
  query<Row = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    try {
      if (this.#done === undefined)
        throw new UsageError(this.#pool, "a connection was used after it had been released");
      return this.#connection.query<Row>(toStatement(this.#pool, statement, values));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Gives the connection back. An open transaction is rolled back before anyone else gets the connection.
   * @throws UsageError when it has been given back before.
   */
  release(): void {
    const done = this.#done;
    if (done === undefined) throw new UsageError(this.#pool, "a connection was released twice");
    this.#done = undefined;
    done();
  }

  /** Gives the connection back to be ended, not reused. @throws UsageError when it has been given back before. */
  destroy(): void {
    // Given back before, it is not ours to discard.
    if (this.#done !== undefined) this.#connection.discard();
    this.release();
  }

  [Symbol.dispose](): void {
    if (this.#done !== undefined) this.release();
  }
}
