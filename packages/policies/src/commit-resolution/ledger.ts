/**
 * A row per piece of work, written in the transaction that does it: there if and only if the work was committed. It
 * survives a failover as the work itself does, and it needs no status function of the database.
 */
import type { Connection, Dialect, LedgerTexts, QueryResult } from "@breakwater/core";

/** Name of the ledger's table, unless another is chosen. */
export const LEDGER_TABLE = "breakwater_ledger";

/** PostgreSQL's, for dialects that bring none of their own. */
const POSTGRES: LedgerTexts = {
  create: (table) => `CREATE TABLE IF NOT EXISTS ${quoted(table)} (
  key text PRIMARY KEY,
  result json,
  written_at timestamptz NOT NULL DEFAULT now()
)`,
  sweep: (table, seconds) => `DELETE FROM ${quoted(table)} WHERE written_at < now() - interval '${seconds} seconds'`,
  claim: (table, key) => ({
    text: `INSERT INTO ${quoted(table)} (key) VALUES ($1) ON CONFLICT (key) DO NOTHING`,
    values: [key],
  }),
  // As text: a driver's own reading of JSON may have been changed, and cannot tell null from nothing.
  find: (table, key) => ({
    text: `SELECT result::text AS result FROM ${quoted(table)} WHERE key = $1`,
    values: [key],
  }),
  keep: (table, key, json) => ({
    text: `UPDATE ${quoted(table)} SET result = $2 WHERE key = $1`,
    values: [key, json],
  }),
};

/** The statement that makes the ledger's table, once per database. `dialect` is PostgreSQL's unless given. */
export function ledgerTableSql(table: string = LEDGER_TABLE, dialect?: Pick<Dialect, "ledger">): string {
  return (dialect?.ledger ?? POSTGRES).create(table);
}

/**
 * The statement that removes rows that are older than `olderThanSeconds`. A call under a key that has been swept runs
 * again, so no retry may come later than that. To be run now and then; it reads the whole table. `dialect` is PostgreSQL's
 * unless given.
 */
export function ledgerSweepSql(
  olderThanSeconds: number,
  table: string = LEDGER_TABLE,
  dialect?: Pick<Dialect, "ledger">,
): string {
  if (!Number.isSafeInteger(olderThanSeconds) || olderThanSeconds < 1) {
    throw new RangeError(`olderThanSeconds must be a whole number from 1, got ${olderThanSeconds}`);
  }
  return (dialect?.ledger ?? POSTGRES).sweep(table, olderThanSeconds);
}

/** An outcome that was found under a key. */
export interface FirstOutcome {
  readonly value: unknown;
}

export class Ledger {
  readonly #table: string;
  readonly #texts: LedgerTexts;

  constructor(table: string, texts: LedgerTexts = POSTGRES) {
    this.#table = table;
    this.#texts = texts;
  }

  /**
   * Claims a key inside a transaction; another transaction that holds it is waited for. Answers with the first outcome
   * when the key's work has been committed before.
   */
  async claim(connection: Connection, key: string): Promise<FirstOutcome | undefined> {
    const { rowCount } = await connection.query(this.#texts.claim(this.#table, key));
    return rowCount === 1 ? undefined : ((await this.find(connection, key)) ?? { value: undefined });
  }

  /**
   * Writes down what the work returned, for a later call under the same key.
   * @throws TypeError when JSON cannot hold it, and so the work is rolled back rather than answered differently later.
   */
  async keep(connection: Connection, key: string, value: unknown): Promise<void> {
    const json = JSON.stringify(keepable(value));
    if (json !== undefined) await connection.query(this.#texts.keep(this.#table, key, json));
  }

  /** The outcome under a key, if its work was committed. */
  async find(connection: Connection, key: string): Promise<FirstOutcome | undefined> {
    const { rows } = await connection.query<{ result: string | null }>(this.#texts.find(this.#table, key));
    const row = rows[0];
    if (row === undefined) return undefined;
    return { value: row.result === null ? undefined : JSON.parse(row.result) };
  }
}

/** A driver's result without what is the driver's own; any other value as it is. */
function keepable(value: unknown): unknown {
  const { rows, rowCount, command, fields } = (value ?? {}) as Partial<QueryResult>;
  if (!Array.isArray(rows) || !Array.isArray(fields) || typeof command !== "string") return value;
  const columns = (fields as QueryResult["fields"]).map(({ name, dataTypeID }) => ({ name, dataTypeID }));
  return { rows, rowCount, command, fields: columns };
}

/** A table's name as an identifier, each part quoted. */
function quoted(table: string): string {
  return table
    .split(".")
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join(".");
}
