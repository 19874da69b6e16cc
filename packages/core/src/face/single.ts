/**
 * Calls for one statement whose answer is wanted in a smaller form than a result.
 */
import { BreakwaterError } from "../contract/errors.ts";
import type { QueryResult, Statement } from "../contract/pool.ts";
import { withOwnFields } from "./statement.ts";

/** A statement gave another number of rows than was asked for. It has been carried out. */
export class RowCountError extends BreakwaterError {
  /** Says which error it is. */
  readonly code = "ERR_BREAKWATER_ROW_COUNT";
  /** How many there were. */
  readonly rows: number;

  constructor(pool: string, expected: string, rows: number) {
    super(`pool "${pool}": a statement gave ${rows} rows where ${expected} was expected`, pool, {
      phase: "running",
      effect: "none",
      retry: "never",
      blames: "caller",
      connection: "keep",
      reason: "another number of rows",
    });
    this.rows = rows;
  }
}

/** What runs single statements. `Given` is what follows the statement: values, options. */
export abstract class Single<Given extends readonly unknown[]> {
  /** Stands in errors. */
  protected abstract readonly poolName: string;

  /** Runs one statement. */
  abstract query<Row = Record<string, unknown>>(
    statement: string | Statement,
    ...given: Given
  ): Promise<QueryResult<Row>>;

  /** The rows of one statement; of a text with several, those of the last. */
  async rows<Row = Record<string, unknown>>(statement: string | Statement, ...given: Given): Promise<Row[]> {
    return last(await this.query<Row>(statement, ...given)).rows;
  }

  /** The first row; undefined when there is none. */
  async first<Row = Record<string, unknown>>(statement: string | Statement, ...given: Given): Promise<Row | undefined> {
    return (await this.rows<Row>(statement, ...given))[0];
  }

  /** The only row. @throws RowCountError when there is none, or more than one. */
  async one<Row = Record<string, unknown>>(statement: string | Statement, ...given: Given): Promise<Row> {
    const rows = await this.rows<Row>(statement, ...given);
    if (rows.length !== 1) throw new RowCountError(this.poolName, "exactly one", rows.length);
    return rows[0] as Row;
  }

  /**
   * The first column of the only row: null where the database says NULL, undefined when there is no row.
   * @throws RowCountError when there is more than one row.
   */
  async value<Value = unknown>(statement: string | Statement, ...given: Given): Promise<Value | undefined> {
    const rows = await this.rows<Value[]>(asArrays(statement), ...given);
    if (rows.length > 1) throw new RowCountError(this.poolName, "at most one", rows.length);
    const [row] = rows;
    // A driver that knows no other rows gives them as objects.
    return typeof row === "object" && row !== null ? Object.values(row)[0] : undefined;
  }

  /** How many rows one statement has changed, or returned; of a text with several, all together. */
  async execute(statement: string | Statement, ...given: Given): Promise<number> {
    const result: QueryResult | readonly QueryResult[] = await this.query(statement, ...given);
    if (!isList(result)) return result.rowCount ?? 0;
    return result.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
  }
}

/** With rows as arrays: two columns of one name would otherwise be one. */
function asArrays(statement: string | Statement): string | Statement {
  if (typeof statement === "string") return { text: statement, rowMode: "array" };
  return typeof statement === "object" && statement !== null
    ? { ...withOwnFields(statement), rowMode: "array" }
    : statement;
}

/** A text of several statements is answered with a list. */
function isList<Row>(result: QueryResult<Row> | readonly QueryResult<Row>[]): result is readonly QueryResult<Row>[] {
  return Array.isArray(result);
}

function last<Row>(result: QueryResult<Row> | readonly QueryResult<Row>[]): QueryResult<Row> {
  return isList(result) ? (result.at(-1) as QueryResult<Row>) : result;
}
