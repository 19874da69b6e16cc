/**
 * Many statements that are one: all of them stand, or none.
 */
import type { Dialect } from "../dialect.ts";
import { UsageError } from "../errors.ts";
import type { Connection, QueryResult, Statement } from "../pool.ts";
import { noteIndex } from "./failed-index.ts";

/** Where statements run, for the errors and texts that are needed there. */
export interface FaceHost {
  readonly name: string;
  readonly dialect: Dialect;
}

/**
 * Runs statements in one round trip where the driver can, else one by one. Outside a transaction they are one of their
 * own.
 */
export async function runAll(
  connection: Connection,
  statements: readonly Statement[],
  { name, dialect }: FaceHost,
): Promise<QueryResult[]> {
  if (statements.length === 0) return [];
  let inside = true;
  const answer = await connection.work?.({
    text: wordOf(statements, dialect),
    run: async (driver) => {
      inside = driver.transactionStatus !== "idle";
      const results = await driver.queryAll?.(statements);
      if (results !== undefined && !inside && driver.transactionStatus !== "idle") throw unended(name);
      return results;
    },
  });
  if (answer !== undefined) return [...answer];
  return inside
    ? oneByOne(connection, statements)
    : atomically(connection, dialect, () => oneByOne(connection, statements));
}

/** The statement that many are taken for when their answer is lost: one that writes, if there is one. */
function wordOf(statements: readonly Statement[], dialect: Dialect): string {
  const writing = statements.find(({ text }) => dialect.classify(text) !== "read");
  return (writing ?? statements[0])?.text ?? "";
}

async function oneByOne(connection: Connection, statements: readonly Statement[]): Promise<QueryResult[]> {
  const results: QueryResult[] = [];
  for (const [index, statement] of statements.entries()) {
    try {
      results.push(await connection.query(statement));
    } catch (error) {
      noteIndex(error, index);
      throw error;
    }
  }
  return results;
}

/** Runs something as a transaction of a connection that is in none. */
export async function atomically<T>(connection: Connection, dialect: Dialect, run: () => Promise<T>): Promise<T> {
  const { transaction } = dialect;
  await connection.query({ text: transaction.begin({}) });
  let value: T;
  try {
    value = await run();
  } catch (error) {
    // One that fails leaves the connection in its transaction, and so it is rolled back when it is given back.
    await connection.query({ text: transaction.rollback }).catch(() => undefined);
    throw error;
  }
  await connection.query({ text: transaction.commit });
  return value;
}

/** @throws UsageError for a statement that would end what it stands in. */
export function refuseCommits(name: string, statements: readonly Statement[], dialect: Dialect): void {
  const index = statements.findIndex(({ text }) => dialect.commits(text));
  if (index === -1) return;
  throw new UsageError(name, `statement ${index} of a batch commits; a batch is a transaction, and ends by itself`);
}

function unended(name: string): UsageError {
  return new UsageError(name, "a statement of a batch began a transaction; a batch is one already");
}

/** Most rows that are sent before their answers are waited for. */
const MAX_ROWS = 5_000;
/** The same, by the size of their texts and bytes. */
const MAX_BYTES = 1_048_576;

/** Runs one statement with many rows of values, and counts the rows that it changed. Not more is held than a part. */
export async function runMany(
  connection: Connection,
  statement: Statement,
  rows: AsyncIterable<readonly unknown[]>,
  name: string,
): Promise<number> {
  let changed = 0;
  let before = 0;
  let part: (readonly unknown[])[] = [];
  let bytes = 0;
  const send = async (): Promise<void> => {
    const [sent, first] = [part, before];
    before += part.length;
    part = [];
    bytes = 0;
    changed += await runPart(connection, statement, sent, first);
  };
  for await (const values of rows) {
    if (!Array.isArray(values)) {
      throw new UsageError(name, `row ${before + part.length} of executeMany() must be an array of values`);
    }
    part.push(values);
    bytes += sizeOf(values);
    if (part.length >= MAX_ROWS || bytes >= MAX_BYTES) await send();
  }
  if (part.length > 0) await send();
  return changed;
}

async function runPart(
  connection: Connection,
  statement: Statement,
  rows: readonly (readonly unknown[])[],
  first: number,
): Promise<number> {
  try {
    const { text } = statement;
    const changed = await connection.work?.({ text, run: async (driver) => driver.executeMany?.(text, rows) });
    if (changed !== undefined) return changed;
    const results = await oneByOne(
      connection,
      rows.map((values) => ({ ...statement, values })),
    );
    return results.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
  } catch (error) {
    addToIndex(error, first);
    throw error;
  }
}

function addToIndex(error: unknown, first: number): void {
  const { failedIndex } = (typeof error === "object" && error !== null ? error : {}) as { failedIndex?: unknown };
  if (typeof failedIndex === "number") noteIndex(error, failedIndex + first);
}

function sizeOf(values: readonly unknown[]): number {
  return values.reduce<number>((sum, value) => sum + (lengthOf(value) ?? 16), 0);
}

function lengthOf(value: unknown): number | undefined {
  if (typeof value === "string") return value.length;
  return ArrayBuffer.isView(value) ? value.byteLength : undefined;
}
