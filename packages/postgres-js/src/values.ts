/**
 * Values and rows as postgres.js has them: its serializers and parsers, chosen as it chooses them (3.4, `types.js`).
 */
import type { SqlColumn, SqlInstance, SqlParameter } from "./types.ts";

/** The values of a statement, and what is known of their types before the server has said anything: 0 is nothing. */
export interface Values {
  readonly values: readonly unknown[];
  readonly types: readonly number[];
}

/** @throws what postgres.js throws for a value that is `undefined`. */
export function valuesOf(sql: SqlInstance, given: readonly unknown[]): Values {
  const Parameter = sql.typed(null, 0).constructor;
  const isParameter = (value: unknown): value is SqlParameter => value instanceof Parameter;
  const inferred = (value: unknown): number => {
    if (isParameter(value)) return value.type;
    if (value instanceof Date) return 1184;
    if (value instanceof Uint8Array) return 17;
    if (typeof value === "boolean") return 16;
    if (typeof value === "bigint") return 20;
    return Array.isArray(value) ? inferred((value as readonly unknown[])[0]) : 0;
  };
  const values: unknown[] = [];
  const types: number[] = [];
  for (const one of given) {
    const value = (isParameter(one) ? one.value : one) ?? undefinedAs(sql, isParameter(one) ? one.value : one);
    values.push(value);
    if (!isParameter(one)) types.push(inferred(value));
    else if (one.array === undefined) types.push(one.type);
    else types.push(one.array[one.type || inferred(value)] ?? (one.type || textList(value)));
  }
  return { values, types };
}

function undefinedAs(sql: SqlInstance, value: unknown): unknown {
  if (value === null) return null;
  const other = sql.options.transform.undefined;
  if (other !== undefined) return other;
  const code = "UNDEFINED_VALUE";
  throw Object.assign(new Error(`${code}: Undefined values are not allowed`), { code });
}

/** What postgres.js takes a list for whose type it does not know: 1009 is `text[]`. */
function textList(value: unknown): number {
  if (Array.isArray(value)) return textList((value as readonly unknown[])[0]);
  return typeof value === "string" ? 1009 : 0;
}

/** The values as texts. @throws what a serializer throws. */
export function textsOf(sql: SqlInstance, { values }: Values, types: readonly number[]): (string | null)[] {
  return values.map((value, at) => {
    if (value === null) return null;
    const serialize = sql.options.serializers[types[at] ?? 0];
    // As postgres.js does it: an empty text and the value, whatever that is.
    return String(serialize === undefined ? value : serialize(value));
  });
}

/** A column, with how its values are read. */
export interface Column extends SqlColumn {
  readonly parser: ((text: string) => unknown) | undefined;
  readonly isArray: boolean;
}

/** The columns that a RowDescription names. */
export function columnsOf(sql: SqlInstance, body: Buffer): readonly Column[] {
  const { parsers, transform } = sql.options;
  const columns: Column[] = [];
  let at = 2;
  for (let count = body.readUInt16BE(0); count > 0; count -= 1) {
    const end = body.indexOf(0, at);
    const given = body.toString("utf8", at, end);
    const type = body.readUInt32BE(end + 7);
    const parser = parsers[type];
    columns.push({
      name: transform.column?.from?.(given) ?? given,
      table: body.readUInt32BE(end + 1),
      number: body.readUInt16BE(end + 5),
      type,
      parser,
      isArray: parser?.array === true,
    });
    at = end + 19;
  }
  return columns;
}

/** One row, as a DataRow has it. @throws what a parser throws. */
export function rowOf(sql: SqlInstance, columns: readonly Column[], body: Buffer, asArray: boolean): unknown {
  const { transform } = sql.options;
  const list: unknown[] = [];
  const row: Record<string, unknown> = {};
  let at = 2;
  for (const column of columns) {
    const length = body.readInt32BE(at);
    at += 4;
    let value: unknown = null;
    if (length !== -1) {
      const text = body.toString("utf8", at, at + length);
      // The parser of a list begins behind its brace.
      value = column.parser === undefined ? text : column.parser(column.isArray ? text.slice(1) : text);
      at += length;
    }
    const shown = transform.value?.from === undefined ? value : transform.value.from(value, column);
    if (asArray) list.push(shown);
    else row[column.name] = shown;
  }
  const made: unknown = asArray ? list : row;
  return transform.row?.from === undefined ? made : transform.row.from(made);
}
