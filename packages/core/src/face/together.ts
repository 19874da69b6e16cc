/**
 * Many statements that are one: all of them stand, or none.
 */
import type { Dialect } from "../contract/dialect.ts";
import { UsageError } from "../contract/errors.ts";
import type { Connection, QueryResult, Statement } from "../contract/pool.ts";
import { noteIndex } from "./failed-index.ts";
import type { Pieces } from "./source.ts";

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
      if (results === undefined) return undefined;
      const outside = driver.transactionStatus === "idle";
      // One that rolls back on the way leaves what stands before it undone, and says nothing of it.
      if (outside === inside || (outside && results.some((result) => !dialect.committed(result)))) throw ended(name);
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

/** The same for the one statement of many rows. */
export function refuseCommit(name: string, { text }: Statement, dialect: Dialect): void {
  if (!dialect.commits(text)) return;
  throw new UsageError(name, "the statement of executeMany() commits; it is a transaction, and ends by itself");
}

function ended(name: string): UsageError {
  return new UsageError(name, "a statement of a batch began or ended a transaction; a batch is one already");
}

/** Most values of one row: the protocols count them in two bytes, and drivers do not look. */
const MAX_VALUES = 65_535;
/** Most rows that are sent before their answers are waited for. */
const MAX_ROWS = 5_000;
/** The same, by the size of their texts and bytes. */
const MAX_BYTES = 1_048_576;

/** Runs one statement with many rows of values, and counts the rows that it changed. Not more is held than a part. */
export async function runMany(
  connection: Connection,
  statement: Statement,
  rows: Pieces<readonly unknown[]>,
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
  /** Says whether the part is large enough to be sent. */
  const add = (values: readonly unknown[]): boolean => {
    if (!Array.isArray(values) || values.length > MAX_VALUES) {
      throw new UsageError(
        name,
        `row ${before + part.length} of executeMany() must be an array of at most ${MAX_VALUES} values`,
      );
    }
    part.push(values);
    bytes += sizeOf(values);
    return part.length >= MAX_ROWS || bytes >= MAX_BYTES;
  };
  if (Array.isArray(rows)) {
    for (const values of rows as readonly (readonly unknown[])[]) if (add(values)) await send();
  } else {
    for await (const values of rows) if (add(values)) await send();
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
  let size = 0;
  for (const value of values) size += lengthOf(value) ?? 16;
  return size;
}

function lengthOf(value: unknown): number | undefined {
  if (typeof value === "string") return value.length;
  return ArrayBuffer.isView(value) ? value.byteLength : undefined;
}
