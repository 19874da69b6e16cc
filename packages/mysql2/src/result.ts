/**
 * What mysql2 answers with, as the layer has it.
 */
import type { Field, QueryResult } from "@breakwater/core";
import { commandOf } from "@breakwater/mysql";

/** The answer to a statement; of what mysql2 tells besides, the number that the server gave to a new row. */
export interface Mysql2Result<Row = Record<string, unknown>> extends QueryResult<Row> {
  /** What AUTO_INCREMENT gave to the first new row; 0 for none, undefined for statements that read. */
  readonly insertId: number | string | undefined;
}

/** What a statement is answered with that returns no rows. */
interface Header {
  readonly affectedRows: number;
  readonly insertId: number | string;
  readonly serverStatus?: number;
}

export function isHeader(value: unknown): value is Header {
  return typeof value === "object" && value !== null && "affectedRows" in value && !Array.isArray(value);
}

/**
 * One answer, or as many as the text had statements. A procedure answers with the rows of its statements and a last word of
 * its own, which is left out.
 */
export function resultOf(text: string, rows: unknown, fields: unknown): QueryResult {
  const command = commandOf(text);
  const parts = partsOf(rows, fields);
  if (parts === undefined) return one(command, rows, fields);
  const results = parts.map(([part, columns]) => one(command, part, columns));
  if (command === "CALL" && isHeader(parts.at(-1)?.[0])) results.pop();
  const [only] = results;
  return results.length === 1 && only !== undefined ? only : (results as unknown as QueryResult);
}

/** With several answers both are lists of as many; of one answer, the fields are a list of columns. */
function partsOf(rows: unknown, fields: unknown): (readonly [rows: unknown, fields: unknown])[] | undefined {
  if (!Array.isArray(rows) || !Array.isArray(fields) || rows.length !== fields.length || rows.length === 0)
    return undefined;
  if (!fields.every((columns) => columns === undefined || Array.isArray(columns))) return undefined;
  return rows.map((part: unknown, at) => [part, fields[at]]);
}

function one(command: string, rows: unknown, fields: unknown): Mysql2Result {
  if (!Array.isArray(rows)) {
    const { affectedRows = 0, insertId } = (isHeader(rows) ? rows : {}) as Partial<Header>;
    return { rows: [], rowCount: affectedRows, command, fields: [], insertId };
  }
  return {
    rows: rows as Record<string, unknown>[],
    rowCount: rows.length,
    command,
    fields: fieldsOf(fields),
    insertId: undefined,
  };
}

function fieldsOf(fields: unknown): readonly Field[] {
  if (!Array.isArray(fields)) return [];
  return (fields as readonly { readonly name: string; readonly columnType?: number }[]).map(({ name, columnType }) => ({
    name,
    dataTypeID: columnType ?? 0,
  }));
}
