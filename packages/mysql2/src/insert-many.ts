/**
 * Many rows of values for one INSERT, in few statements of many rows each.
 *
 * Nobody is to notice but by the time that it takes. So it is done only where the server treats each row as if it came alone,
 * and tells which of them failed: inside a transaction, on MariaDB from 10.7 on, in a strict mode, into a table of InnoDB.
 */
import { noteIndex, type QueryResult } from "@breakwater/core";
import { mysql } from "@breakwater/mysql";
import { type InsertText, insertText, withRows } from "./insert-text.ts";
import { bindable } from "./values.ts";

/** Fewer rows are not worth a statement that is prepared for them. */
const MIN_ROWS = 8;
/** Most rows in one statement: the server describes each placeholder of what it prepares, which takes as long as a value. */
const MAX_ROWS = 1_000;
/** Most placeholders in one statement: the protocol counts them in two bytes. */
const MAX_PLACEHOLDERS = 65_535;
/** Most bytes of one statement, unless the server takes less. */
const MAX_BYTES = 1_048_576;
/** Bytes of a value that is neither a text nor bytes, at most. */
const VALUE_BYTES = 32;

/** Where rows stand behind which an error is remembered: by default the server remembers 64, warnings too. MariaDB has it. */
const REMEMBER_ALL = "SET STATEMENT max_error_count = 65535 FOR ";
/** MariaDB's note of where in a trigger an error came from, ER_PROC_STACK; the last is about the statement itself. */
const STACK_NOTE = 4094;

/** Asks the server something that leaves the transaction as it is. */
export type Ask = (text: string) => Promise<QueryResult>;

/** A connection inside a transaction. */
export interface InsertHost {
  /** Whether values travel beside the text. */
  readonly prepare: boolean;
  /** Runs a statement; `failed` is told of an error before anything else is sent. */
  run(
    text: string,
    values: readonly unknown[],
    failed?: (error: unknown, ask: Ask) => Promise<void>,
  ): Promise<QueryResult>;
  /** Lets go of what was prepared for a text. */
  forget(text: string): void;
}

/** Rows as they can be sent. */
type Rows = readonly (readonly unknown[])[];

/** The number of rows that were changed; undefined where they have to go one by one, and none has been sent. */
export function insertMany(host: InsertHost, text: string, rows: Rows): Promise<number | undefined> | undefined {
  if (rows.length < MIN_ROWS) return undefined;
  const insert = insertText(text);
  const bound = insert === undefined ? undefined : boundRows(rows, insert.width, host.prepare);
  if (insert === undefined || bound === undefined) return undefined;
  return sendAll(host, text, insert, bound);
}

/** Undefined when one of them would be refused, or mean something else beside others: that is found out when its turn comes. */
function boundRows(rows: Rows, width: number, prepare: boolean): Rows | undefined {
  const bound: unknown[][] = [];
  try {
    for (const values of rows) {
      if (values.length !== width) return undefined;
      const row = bindable(values, !prepare);
      // A list is written into the text as several values.
      if (row.some((value) => value === undefined || Array.isArray(value))) return undefined;
      bound.push(row);
    }
  } catch {
    return undefined;
  }
  return bound;
}

async function sendAll(host: InsertHost, text: string, insert: InsertText, rows: Rows): Promise<number | undefined> {
  const maxBytes = await maxBytesFor(host, insert.table);
  if (maxBytes === undefined) return undefined;
  const prepared = new Set<string>();
  // The last goes alone: LAST_INSERT_ID() speaks of it afterwards.
  const sizes = rows.slice(0, -1).map((values) => insert.list.length + values.reduce<number>(addSize, 0));
  const most = rowsOfEach(sizes.length, insert.width);
  let changed = 0;
  try {
    for (let at = 0; at < rows.length;) {
      const count = countOf(sizes, at, most, maxBytes);
      const made = count === 1 ? text : REMEMBER_ALL + withRows(insert, count);
      if (count > 1) prepared.add(made);
      const values = rows.slice(at, at + count).flat();
      const first = at;
      const { rowCount } = await host.run(made, values, async (error, ask) => {
        if (count > 1) shorten(error, made, text);
        const row = count === 1 ? 0 : await failedRow(error, count, ask);
        if (row !== undefined) noteIndex(error, first + row);
      });
      changed += rowCount ?? 0;
      at += count;
    }
  } finally {
    for (const one of prepared) host.forget(one);
  }
  return changed;
}

/** How many rows go into a statement: as many into each, so that there is but one to prepare, and few are left. */
function rowsOfEach(rows: number, width: number): number {
  const most = Math.min(MAX_ROWS, Math.floor(MAX_PLACEHOLDERS / width));
  return Math.floor(rows / Math.ceil(rows / most));
}

/** How many of them go into the next, beginning with one: so many, or half of that, until they are not too long. */
function countOf(sizes: readonly number[], from: number, most: number, maxBytes: number): number {
  let count = Math.min(most, sizes.length - from);
  if (count < MIN_ROWS) return 1;
  while (count > 1 && sizes.slice(from, from + count).reduce((sum, size) => sum + size, 0) > maxBytes) count >>= 1;
  return count;
}

function addSize(sum: number, value: unknown): number {
  if (typeof value === "string") return sum + Buffer.byteLength(value) + 2;
  return sum + (value instanceof Uint8Array ? value.byteLength + 2 : VALUE_BYTES);
}

/** Most bytes of a statement of many rows for a table; undefined where there can be none. */
async function maxBytesFor(host: InsertHost, table: string): Promise<number | undefined> {
  try {
    const { rows } = await host.run(
      "SELECT @@version AS version, @@sql_mode AS mode, @@unique_checks AS checked, @@max_allowed_packet AS packet",
      [],
    );
    const { version, mode, checked, packet } = rows[0] ?? {};
    // A mode that is not strict writes something else for a NULL that is not allowed, but only from the second row on. Without
    // checks what is there twice is found at the end.
    if (!tellsRows(version) || !/STRICT_(?:TRANS|ALL)_TABLES/.test(String(mode)) || Number(checked) !== 1)
      return undefined;
    const shown = await host.run(`SHOW CREATE TABLE ${table}`, []);
    const definition = shown.rows[0]?.["Create Table"];
    // Elsewhere a statement that fails leaves the rows before. It shows what the name means now, a temporary table too.
    if (typeof definition !== "string" || !/\n\) ENGINE=InnoDB\b/.test(definition)) return undefined;
    // Escaped, and in hexadecimal digits, values are twice as long.
    return Math.min(MAX_BYTES, Number(packet) / 4);
  } catch (error) {
    // A question that is not allowed has no answer. Any other error is the call's.
    const { retry } = mysql.judge(error, { phase: "running", access: "write", inTransaction: true });
    if (retry !== "never") throw error;
    return undefined;
  }
}

/** Whether a server tells the row of an error: ROW_NUMBER of GET DIAGNOSTICS, in MariaDB since 10.7. */
function tellsRows(version: unknown): boolean {
  const match = /^(\d+)\.(\d+)\.\d+-MariaDB/i.exec(String(version));
  const [major, minor] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
  return major > 10 || (major === 10 && minor >= 7);
}

/** Which row of a statement an error came from, from 0; undefined where the server does not say. */
async function failedRow(error: unknown, count: number, ask: Ask): Promise<number | undefined> {
  const { errno } = (error ?? {}) as { readonly errno?: unknown };
  // Those of the link are negative, and nobody can be asked.
  if (typeof errno !== "number" || errno <= 0) return undefined;
  try {
    await ask("GET DIAGNOSTICS @breakwater_row = NUMBER");
    await ask(
      "GET DIAGNOSTICS CONDITION @breakwater_row @breakwater_row = ROW_NUMBER, @breakwater_errno = MYSQL_ERRNO",
    );
    const { rows } = await ask("SELECT @breakwater_row AS place, @breakwater_errno AS told");
    await ask("SET @breakwater_row = NULL, @breakwater_errno = NULL");
    const { place, told } = rows[0] ?? {};
    if (Number(told) !== errno && Number(told) !== STACK_NOTE) return undefined;
    // 0 when it had not come to the rows: then the first would have failed as well.
    return Number(place) <= count ? Math.max(Number(place) - 1, 0) : undefined;
  } catch {
    return undefined;
  }
}

/** What mysql2 says of the statement is what the caller knows, not a thousand rows. */
function shorten(error: unknown, made: string, text: string): void {
  if (typeof error !== "object" || error === null || !("sql" in error)) return;
  const { sql } = error;
  if (typeof sql === "string" && sql.length >= made.length) error.sql = text;
}
