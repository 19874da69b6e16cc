/** What is measured: ways to ask the same questions, each over at most ten connections. */
import { asPgPool, fromPg } from "@breakwater/pg";
import { database } from "@breakwater/core";
import { breakwater } from "breakwater";
import {
  bulkhead,
  circuitBreaker,
  ConsecutiveBreaker,
  handleAll,
  retry,
  timeout,
  TimeoutStrategy,
  wrap,
} from "cockatiel";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { Kysely, PostgresDialect, sql as kyselySql } from "kysely";
import CircuitBreaker from "opossum";
import pRetry from "p-retry";
import pg from "pg";
import postgres from "postgres";
import { createPool, sql as slonikSql } from "slonik";

/** The most connections that any of them may have. */
export const CONNECTIONS = 10;

export const TEXTS = {
  point: "SELECT id, name, price, stock, changed FROM bench_items WHERE id = $1",
  one: "SELECT 1 AS one",
  range: "SELECT id, name, price, stock, changed FROM bench_items WHERE id BETWEEN $1::int AND $1::int + 99",
  take: "UPDATE bench_items SET stock = stock - 1 WHERE id = $1",
  give: "UPDATE bench_items SET stock = stock + 1 WHERE id = $1",
  insert: "INSERT INTO bench_rows VALUES ($1, $2)",
} as const;

export interface Client {
  readonly name: string;
  readonly query: (text: string, values: unknown[]) => Promise<unknown>;
  /** BEGIN, two statements, COMMIT. */
  readonly write?: (id: number) => Promise<unknown>;
  /** Inserts many rows. */
  readonly insert?: (rows: [number, string][]) => Promise<unknown>;
  readonly close: () => Promise<unknown>;
}

type Make = (url: string) => Client | Promise<Client>;

/** Made in this order; the first is what all others are compared with. */
export const CLIENTS: readonly Make[] = [
  (url) => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    const inTransaction = async (run: (client: pg.PoolClient) => Promise<unknown>): Promise<void> => {
      const client = await pool.connect();
      await client.query("BEGIN");
      await run(client);
      await client.query("COMMIT");
      client.release();
    };
    return {
      name: "pg.Pool",
      query: (text, values) => pool.query(text, values),
      write: (id) =>
        inTransaction(async (client) => {
          await client.query(TEXTS.take, [id]);
          await client.query(TEXTS.give, [id]);
        }),
      insert: (rows) =>
        inTransaction(async (client) => {
          for (const row of rows) await client.query(TEXTS.insert, row);
        }),
      close: () => pool.end(),
    };
  },
  (url) => ours("Breakwater, preset", breakwater({ primary: url, pool: { max: CONNECTIONS } })),
  (url) =>
    ours("Breakwater, pipeline: false", breakwater({ primary: url, pool: { max: CONNECTIONS, pipeline: false } })),
  (url) => ours("Breakwater, adapter alone", database(fromPg({ connectionString: url, max: CONNECTIONS }))),
  (url) => {
    const db = breakwater({ primary: url, pool: { max: CONNECTIONS } });
    const pool = asPgPool(db);
    return {
      name: "Breakwater, asPgPool",
      query: (text, values) => pool.query(text, values),
      close: () => pool.end().then(() => db.close()),
    };
  },
  (url) => {
    const sql = postgres(url, { max: CONNECTIONS, onnotice: () => undefined });
    return {
      name: "postgres.js",
      query: (text, values) => sql.unsafe(text, values as never, { prepare: true }),
      write: (id) =>
        sql.begin(async (tx) => {
          await tx.unsafe(TEXTS.take, [id], { prepare: true });
          await tx.unsafe(TEXTS.give, [id], { prepare: true });
        }),
      close: () => sql.end(),
    };
  },
  async (url) => {
    const pool = await createPool(url, { maximumPoolSize: CONNECTIONS });
    const query = (text: string, values: unknown[]): Promise<unknown> =>
      pool.any({ ...slonikSql.unsafe`SELECT 1`, sql: text, values } as never);
    return { name: "slonik", query, close: () => pool.end() };
  },
  (url) => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    const db = new Kysely<never>({ dialect: new PostgresDialect({ pool }) });
    const query = (text: string, values: unknown[]): Promise<unknown> => {
      const [before = "", ...after] = text.split(/\$1/);
      return kyselySql([before, ...after] as never, ...after.map(() => values[0])).execute(db);
    };
    return { name: "Kysely", query, close: () => db.destroy() };
  },
  (url) => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    const db = drizzle({ client: pool });
    const query = (text: string, values: unknown[]): Promise<unknown> => {
      const [before = "", ...after] = text.split(/\$1/);
      return db.execute(drizzleSql([before, ...after] as never, ...after.map(() => values[0])));
    };
    return { name: "Drizzle", query, close: () => pool.end() };
  },
  (url) => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    const policy = wrap(
      retry(handleAll, { maxAttempts: 3 }),
      circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
      bulkhead(CONNECTIONS, 1_000),
      timeout(5_000, TimeoutStrategy.Aggressive),
    );
    return {
      name: "cockatiel on pg.Pool",
      query: (text, values) => policy.execute(() => pool.query(text, values)),
      close: () => pool.end(),
    };
  },
  (url) => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    return {
      name: "p-retry on pg.Pool",
      query: (text, values) => pRetry(() => pool.query(text, values), { retries: 3 }),
      close: () => pool.end(),
    };
  },
  (url) => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    const breaker = new CircuitBreaker((text: string, values: unknown[]) => pool.query(text, values), {
      timeout: 5_000,
    });
    return {
      name: "opossum on pg.Pool",
      query: (text, values) => breaker.fire(text, values),
      close: async () => {
        breaker.shutdown();
        await pool.end();
      },
    };
  },
];

function ours(name: string, db: ReturnType<typeof database>): Client {
  return {
    name,
    query: (text, values) => db.query(text, values),
    write: (id) =>
      db.transaction(async (transaction) => {
        await transaction.query(TEXTS.take, [id]);
        await transaction.query(TEXTS.give, [id]);
      }),
    insert: (rows) => db.executeMany(TEXTS.insert, rows),
    close: () => db.close(),
  };
}
