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
import { type SQL, sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { Kysely, PostgresDialect, type RawBuilder, sql as kyselySql } from "kysely";
import CircuitBreaker from "opossum";
import pRetry from "p-retry";
import pg from "pg";
import postgres from "postgres";
import { createPool, sql as slonikSql } from "slonik";
import { awsPool } from "./aws.ts";
import { Floor } from "./floor.ts";

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
  readonly close: () => Promise<unknown>;
}

/** Undefined where it is not installed, or cannot get in. */
type Make = (url: string) => Client | Promise<Client | undefined>;

/** What comes nearest to doing nothing but the round trips. */
export const FLOOR = "raw wire client (floor)";
/** The last of the peers, measured where it is installed. */
export const AWS = "AWS wrapper, no plugins";

/** So many of them take part in what is promised. */
export const PROMISED = 6;

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
    const texts = [...Object.values(TEXTS), "BEGIN", "COMMIT"];
    // It knows no passwords.
    const floor = await Floor.open(url, { connections: CONNECTIONS, shared: 4, texts }).catch(() => undefined);
    return (
      floor && {
        name: FLOOR,
        query: (text, values) => floor.query(text, values),
        write: (id) =>
          floor.transaction([
            [TEXTS.take, [id]],
            [TEXTS.give, [id]],
          ]),
        close: async () => floor.close(),
      }
    );
  },
  async (url) => {
    const pool = await createPool(url, { maximumPoolSize: CONNECTIONS });
    const made = (text: string, values: unknown[]): never =>
      ({ ...slonikSql.unsafe`SELECT 1`, sql: text, values }) as never;
    return {
      name: "slonik",
      query: (text, values) => pool.any(made(text, values)),
      write: (id) =>
        pool.transaction(async (transaction) => {
          await transaction.query(made(TEXTS.take, [id]));
          await transaction.query(made(TEXTS.give, [id]));
        }),
      close: () => pool.end(),
    };
  },
  (url) => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    const db = new Kysely<never>({ dialect: new PostgresDialect({ pool }) });
    const made = (text: string, values: unknown[]): RawBuilder<unknown> => {
      const [before = "", ...after] = text.split(/\$1/);
      return kyselySql([before, ...after] as never, ...after.map(() => values[0]));
    };
    return {
      name: "Kysely",
      query: (text, values) => made(text, values).execute(db),
      write: (id) =>
        db.transaction().execute(async (transaction) => {
          await made(TEXTS.take, [id]).execute(transaction);
          await made(TEXTS.give, [id]).execute(transaction);
        }),
      close: () => db.destroy(),
    };
  },
  (url) => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    const db = drizzle({ client: pool });
    const made = (text: string, values: unknown[]): SQL => {
      const [before = "", ...after] = text.split(/\$1/);
      return drizzleSql([before, ...after] as never, ...after.map(() => values[0]));
    };
    return {
      name: "Drizzle",
      query: async (text, values) => db.execute(made(text, values)),
      write: (id) =>
        db.transaction(async (transaction) => {
          await transaction.execute(made(TEXTS.take, [id]));
          await transaction.execute(made(TEXTS.give, [id]));
        }),
      close: () => pool.end(),
    };
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
  async (url) => {
    const pool = await awsPool(url, CONNECTIONS);
    return pool && { name: AWS, ...pool };
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
    close: () => db.close(),
  };
}
