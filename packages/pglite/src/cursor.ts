/**
 * A cursor of the session, by statements: PGlite hands out no portals that would outlive one call.
 */
import type { DriverCursor, QueryResult, Statement } from "@breakwater/core";
import { postgres } from "@breakwater/postgres";

/** A part of the rows; with `done`, the last. */
interface Part {
  readonly rows: readonly unknown[];
  readonly done: boolean;
}

let made = 0;

export class SqlCursor implements DriverCursor {
  readonly #query: (statement: Statement) => Promise<QueryResult<unknown>>;
  readonly #statement: Statement;
  readonly #name: string = `breakwater_${(made += 1)}`;
  #declared = false;
  // The rows of what only gives them all at once.
  #rows: readonly unknown[] | undefined;

  /** `query` runs a statement on the connection. */
  constructor(query: (statement: Statement) => Promise<QueryResult<unknown>>, statement: Statement) {
    this.#query = query;
    this.#statement = statement;
  }

  async read(count: number): Promise<Part> {
    const { text, rowMode } = this.#statement;
    if (this.#rows !== undefined) return this.#take(count);
    if (!this.#declared) {
      if (!declarable(text)) {
        ({ rows: this.#rows } = await this.#query(this.#statement));
        return this.#take(count);
      }
      // Under a name it is one statement, or an error.
      const declare = `DECLARE ${this.#name} NO SCROLL CURSOR FOR ${text}`;
      await this.#query({ ...this.#statement, text: declare, name: this.#name });
      this.#declared = true;
    }
    const fetch = `FETCH FORWARD ${count} FROM ${this.#name}`;
    const { rows } = await this.#query({ text: fetch, ...(rowMode === undefined ? {} : { rowMode }) });
    return { rows, done: rows.length < count };
  }

  async close(): Promise<void> {
    this.#rows &&= [];
    if (!this.#declared) return;
    this.#declared = false;
    await this.#query({ text: `CLOSE ${this.#name}` });
  }

  #take(count: number): Part {
    const rows = (this.#rows ?? []).slice(0, count);
    this.#rows = (this.#rows ?? []).slice(count);
    return { rows, done: this.#rows.length === 0 };
  }
}

/** Whether a cursor can be declared for it: a query that writes nothing itself (PostgreSQL documentation, DECLARE). */
function declarable(text: string): boolean {
  if (/^\s*(?:SELECT|VALUES|TABLE)\b/i.test(text)) return !/\bINTO\b/i.test(text);
  return /^\s*(?:WITH\b|\()/i.test(text) && postgres.classify(text) === "read";
}
