/**
 * Rows of one statement that are read as they are needed, a part at a time.
 */
import type { Dialect } from "../contract/dialect.ts";
import type { DriverCursor } from "../contract/driver.ts";
import { UsageError } from "../contract/errors.ts";
import { knownOptions, positiveInteger, positiveMs } from "../contract/options.ts";
import type { Connection, Statement } from "../contract/pool.ts";

/** How a result is read. */
export interface StreamOptions {
  /** Most rows that are read from the server at once, and held. @default 200 */
  readonly batchSize?: number;
  /**
   * Longest that the reader may take between two parts, in milliseconds; then the stream ends with a `TimeoutError`, so
   * that a reader that hangs does not keep its connection. @default no limit
   */
  readonly maxIdleMs?: number;
}

/** Checks how a result is to be read. @throws OptionError when an option is out of range. */
export function checkStream(options: StreamOptions): { readonly batchSize: number; readonly maxIdleMs?: number } {
  const { batchSize = 200, maxIdleMs } = options;
  positiveInteger("stream.batchSize", batchSize);
  return maxIdleMs === undefined ? { batchSize } : { batchSize, maxIdleMs: positiveMs("stream.maxIdleMs", maxIdleMs) };
}

/** The same where nothing else can be said. */
export function checkHeldStream(options: StreamOptions): { readonly batchSize: number } {
  return checkStream(knownOptions("stream", options, ["batchSize"]));
}

/** A part of the rows; after the one that is `done` there are no more. */
export interface Part {
  readonly rows: readonly unknown[];
  readonly done: boolean;
}

/** Where the parts come from. */
export interface Parts {
  readonly first: Part;
  read(): Promise<Part>;
  /** Why the rows that are held are not to be handed out any more. */
  readonly failed?: { readonly error: unknown } | undefined;
  /** Ends the reading: at its end, before it, or after an error. */
  end(): Promise<void>;
}

/** The rows, one at a time. Begins at the first `next()`; leaving the loop ends it. */
export async function* rowsOf<Row>(open: () => Promise<Parts>): AsyncGenerator<Row, void, undefined> {
  const parts = await open();
  try {
    for (let part = parts.first; ; part = await parts.read()) {
      for (const row of part.rows) {
        if (parts.failed !== undefined) throw parts.failed.error;
        yield row as Row;
      }
      if (part.done) break;
    }
  } finally {
    await parts.end();
  }
}

/** A cursor in the transaction that its connection is in. */
export interface Cursor {
  read(): Promise<Part>;
  /** Ends it before its end. */
  close(): Promise<void>;
}

/** Begins to read a statement. @throws UsageError when the driver has no cursors. */
export function openCursor(connection: Connection, statement: Statement, batchSize: number, name: string): Cursor {
  const { text } = statement;
  let cursor: DriverCursor | undefined;
  if (connection.work === undefined) throw unable(name, "cursors");
  return {
    read: () =>
      connection.work!({
        text,
        run: async (driver) => {
          cursor ??= driver.cursor?.(statement);
          if (cursor === undefined) throw unable(name, "cursors");
          return cursor.read(batchSize);
        },
      }),
    close: () => connection.work!({ text, run: async () => cursor?.close() }),
  };
}

/** What a driver cannot do. */
export function unable(name: string, what: string): UsageError {
  return new UsageError(name, `its driver has no ${what}`);
}

/** Whether a transaction is open on a connection; false where its driver is out of reach. */
export async function isInTransaction(connection: Connection, text: string): Promise<boolean> {
  const status = await connection.work?.({ text, run: async (driver) => driver.transactionStatus });
  return status !== undefined && status !== "idle";
}

/** Begins a transaction for one stream. The returned function ends it. */
export async function beginFor(
  connection: Connection,
  { transaction }: Dialect,
): Promise<(well: boolean) => Promise<void>> {
  await connection.query({ text: transaction.begin({}) });
  return async (well) => {
    await connection.query({ text: well ? transaction.commit : transaction.rollback });
  };
}
