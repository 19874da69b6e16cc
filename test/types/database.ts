/** The face that people hold. */
import {
  type Access,
  type CallOptions,
  type Database,
  database,
  type HeldConnection,
  type Pool,
  type PoolStats,
  type QueryResult,
  sql,
  type Subscription,
  type Transaction,
} from "@breakwater/core";
import { Readable } from "node:stream";
import { equal } from "./equal.ts";

declare const pool: Pool;
declare const db: Database;
declare const maybe: number | undefined;

interface Book {
  readonly id: number;
  readonly title: string;
}

export async function rows(): Promise<void> {
  const books = await db.query<Book>("SELECT id, title FROM books WHERE id = $1", [1]);
  equal<typeof books, QueryResult<Book>>();
  equal<(typeof books.rows)[number], Book>();
  equal<typeof books.rowCount, number | null>();

  const untold = await db.query("SELECT 1");
  equal<(typeof untold.rows)[number], Record<string, unknown>>();
  // @ts-expect-error a column of which nothing is known must be looked at before it is used
  void untold.rows[0]?.id.toFixed();
  // @ts-expect-error there may be no first row
  void books.rows[0].title;
  // @ts-expect-error there is no such column
  void books.rows[0]?.author;

  await db.query({ text: "SELECT $1", values: [1], name: "one", rowMode: "array" });
  await db.query("SELECT 1", { access: "read" });
  await db.query("SELECT $1", [1], { idempotent: true, timeoutMs: 100 });
  await db.query("SELECT 1", undefined, { label: "books" });
}

export async function wrongCalls(): Promise<void> {
  // @ts-expect-error a statement has a text
  await db.query({ values: [1] });
  // @ts-expect-error a misspelled option
  await db.query("SELECT 1", { timeout: 100 });
  // @ts-expect-error a misspelled option after the values
  await db.query("SELECT 1", [], { retries: 3 });
  // @ts-expect-error a value that there is not
  await db.query("SELECT 1", { consistency: "stale" });
  // @ts-expect-error rows come as objects unless "array" is said
  await db.query({ text: "SELECT 1", rowMode: "object" });
  // @ts-expect-error a callback is of no use
  await db.query("SELECT 1", () => undefined);
  // @ts-expect-error left out is not the same as undefined
  await db.query("SELECT 1", { timeoutMs: maybe });
  await db.query("SELECT 1", { label: "books", ...(maybe === undefined ? {} : { timeoutMs: maybe }) });
}

export async function transactions(): Promise<void> {
  const count = await db.transaction(
    async (transaction) => {
      equal<typeof transaction, Transaction>();
      equal<typeof transaction.attempt, number>();
      await transaction.query<Book>("SELECT 1");
      transaction.afterCommit(() => undefined);
      return transaction.transaction(async (inner) => (await inner.query("SELECT 1")).rows.length);
    },
    { isolation: "serializable", readOnly: true, deferrable: true, idempotent: true },
  );
  equal<typeof count, number>();

  // @ts-expect-error a level of isolation that there is not
  await db.transaction(async () => undefined, { isolation: "snapshot" });
  // @ts-expect-error the function must be asynchronous: its end is the commit
  await db.transaction(() => 1);
  // @ts-expect-error a transaction is ended by its function, not by a call
  await db.transaction((transaction) => transaction.commit());
}

export async function connections(): Promise<void> {
  const held = await db.connect({ timeoutMs: 100 });
  equal<typeof held, HeldConnection>();
  // @ts-expect-error what a driver's connection is must be said by who uses it
  held.driver.query("SELECT 1");
  held.release();
  {
    using borrowed = await db.connect();
    await borrowed.query("SELECT 1");
  }
  await using own = database(pool);
  equal<ReturnType<typeof own.stats>, PoolStats>();
  // @ts-expect-error a snapshot is not changed
  own.stats().active = 0;
  // @ts-expect-error a face is made of a pool
  database("postgres://localhost/app");
  // @ts-expect-error a misspelled option
  database(pool, { clocks: undefined });
}

equal<NonNullable<CallOptions["access"]>, Access>();

export async function convenience(): Promise<void> {
  const held = await db.connect();
  equal<Awaited<ReturnType<typeof db.rows<Book>>>, Book[]>();
  const books = await held.rows<Book>(sql`SELECT ${1}`);
  equal<typeof books, Book[]>();
  const first = await db.first<Book>("SELECT 1", [1], { timeoutMs: 100 });
  equal<typeof first, Book | undefined>();
  const one = await db.one<Book>("SELECT 1", { access: "read" });
  equal<typeof one, Book>();
  const value = await db.value<number>("SELECT 1");
  equal<typeof value, number | undefined>();
  const unknownValue = await db.value("SELECT 1");
  equal<typeof unknownValue, unknown>();
  const changed = await db.execute("UPDATE books");
  equal<typeof changed, number>();
  const results = await db.batch<Book>(["SELECT 1", sql`SELECT 2`], { isolation: "serializable" });
  equal<typeof results, QueryResult<Book>[]>();
  const many = await db.executeMany("INSERT", new Set([[1, "a"]]), { idempotent: true });
  equal<typeof many, number>();
  await db.executeMany("INSERT", () => [[1]]);
  for await (const book of db.stream<Book>("SELECT 1", [1], { batchSize: 10, maxIdleMs: 100, access: "read" })) {
    equal<typeof book, Book>();
  }
  for await (const piece of db.copyTo({ table: ["public", "books"], format: "csv", header: true })) {
    equal<typeof piece, Uint8Array>();
  }
  await db.copyFrom({ table: "books" }, Readable.from(["1\n"]), { timeoutMs: 100 });
  await using subscription = await db.listen("books", ({ payload }) => payload.length, {
    onGap: ({ gapMs }) => gapMs.toFixed(),
  });
  equal<typeof subscription, Subscription>();

  // @ts-expect-error a statement on a held connection has no options
  await held.rows("SELECT 1", [], { timeoutMs: 100 });
  // @ts-expect-error a row of values is a list
  await db.executeMany("INSERT", [1, 2]);
  // @ts-expect-error a format that there is not
  await db.copyFrom({ table: "books", format: "json" }, "");
  // @ts-expect-error a misspelled option
  db.stream("SELECT 1", { batch: 10 });
  // @ts-expect-error sql is a tag
  sql("SELECT 1");
  // @ts-expect-error a separator is a part, not a text
  sql.join([1, 2], " AND ");
}
