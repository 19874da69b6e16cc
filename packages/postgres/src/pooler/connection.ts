/**
 * A connection to a pooler in transaction mode: nothing of a session may be used on it.
 */
import {
  type DriverConnection,
  noteIndex,
  type QueryResult,
  type Statement,
  type TransactionStatus,
  UsageError,
} from "@breakwater/core";
import { lasts } from "./state.ts";

export class PooledConnection implements DriverConnection {
  readonly #inner: DriverConnection;
  readonly #pool: string;
  #refusal: Error | undefined;
  // Absent where the driver does not have them.
  declare readonly queryAll?: NonNullable<DriverConnection["queryAll"]>;
  declare readonly executeMany?: NonNullable<DriverConnection["executeMany"]>;
  declare readonly cursor?: NonNullable<DriverConnection["cursor"]>;
  declare readonly copyFrom?: NonNullable<DriverConnection["copyFrom"]>;
  declare readonly copyTo?: NonNullable<DriverConnection["copyTo"]>;

  constructor(inner: DriverConnection, pool: string) {
    this.#inner = inner;
    this.#pool = pool;
    if (inner.queryAll !== undefined) {
      this.queryAll = (statements) => {
        const lasting = statements.findIndex(({ text }) => lasts(text, true));
        return lasting === -1 ? inner.queryAll?.(statements.map(unnamed)) : this.#refuse(lasting);
      };
    }
    if (inner.executeMany !== undefined)
      this.executeMany = (text, rows) => (lasts(text, true) ? this.#refuse(0) : inner.executeMany?.(text, rows));
    if (inner.cursor !== undefined) this.cursor = (statement) => inner.cursor?.(unnamed(statement));
    if (inner.copyFrom !== undefined) this.copyFrom = inner.copyFrom.bind(inner);
    if (inner.copyTo !== undefined) this.copyTo = inner.copyTo.bind(inner);
  }

  get driver(): unknown {
    return this.#inner.driver;
  }

  get transactionStatus(): TransactionStatus {
    return this.#inner.transactionStatus;
  }

  get usable(): boolean {
    return this.#inner.usable;
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    this.#refusal = undefined;
    return lasts(statement.text, this.transactionStatus !== "idle")
      ? this.#refuse()
      : this.#inner.query<Row>(unnamed(statement));
  }

  /** `index`: the place of the statement among those that were to be sent with it. */
  #refuse(index?: number): Promise<never> {
    this.#refusal = new UsageError(
      this.#pool,
      "a statement was refused that lasts as long as its session: behind a pooler in transaction mode that session is " +
        "shared; use SET LOCAL, transaction-level locks, or a pool that goes past the pooler",
    );
    if (index !== undefined) noteIndex(this.#refusal, index);
    return Promise.reject(this.#refusal);
  }

  refused(error: unknown): boolean {
    return (this.#refusal !== undefined && error === this.#refusal) || this.#inner.refused?.(error) === true;
  }

  unprocessed(error: unknown): boolean {
    return this.#inner.unprocessed?.(error) === true;
  }

  taken(): void {
    this.#inner.taken?.();
  }

  /** There is nothing that a session could have left. */
  reset(): Promise<void> {
    return Promise.resolve();
  }

  release(): void {
    this.#inner.release();
  }

  destroy(cancel: boolean): Promise<void> {
    return this.#inner.destroy(cancel);
  }
}

/** Under no name, and as one text: what is prepared on one server connection is not there on the next. */
function unnamed(statement: Statement): Statement {
  if (statement.name === undefined && statement.parts === undefined) return statement;
  const { name: _name, parts: _parts, ...rest } = statement;
  return rest;
}
