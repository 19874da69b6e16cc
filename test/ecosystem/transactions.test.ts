/**
 * Transactions that libraries make by hand (a connection, BEGIN … COMMIT): they are on the primary, nothing of them is
 * repeated, and what is left open is rolled back before anybody else gets the connection.
 */
import fastifyPostgres from "@fastify/postgres";
import { PrismaPg } from "@prisma/adapter-pg";
import { asPgPool } from "@breakwater/pg";
import { type Database, policy } from "breakwater";
import { driverModule } from "breakwater/pg";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import fastify from "fastify";
import knex from "knex";
import PostgresClient from "knex/lib/dialects/postgres/index.js";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import { Sequelize } from "sequelize";
import { DataSource } from "typeorm";
import { describe, expect, it } from "vitest";
import { stackOn, useCluster } from "./support.ts";

const cluster = useCluster({ replicas: 1 });

type Row = Readonly<Record<string, unknown>>;

/** A library in use. */
interface Used {
  /** Runs texts one after another in a transaction that the library makes; the rows of each. */
  transaction(texts: readonly string[]): Promise<readonly (readonly Row[])[]>;
  /** Begins by hand, runs a text, and gives the connection back without an end. Not every library lets one. */
  leaveOpen?: (text: string) => Promise<void>;
  run(text: string): Promise<unknown>;
  close(): Promise<void>;
}

/** What a stack was asked for. */
interface Watched {
  readonly seen: string[];
  readonly watch: ReturnType<typeof policy>;
}

function watched(): Watched {
  const seen: string[] = [];
  const watch = policy("watch", (operation, next) => {
    if (operation.purpose === "call")
      seen.push(operation.kind === "query" ? operation.statement.text : `${operation.kind} ${operation.access}`);
    return next(operation);
  });
  return { seen, watch };
}

type Library = (made: { readonly db: Database; readonly watched: Watched }) => Promise<Used>;

/** Everything of a library that makes its pool or its clients itself. */
function moduleFor({ watch }: Watched): ReturnType<typeof driverModule> {
  const replicas = cluster().nodes.filter((node) => node !== cluster().primary);
  return driverModule({
    breakwater: { replicas: replicas.map((node) => node.connectionString), policies: [watch] },
  });
}

const none = { args: [], argTypes: [] };

const LIBRARIES: Readonly<Record<string, Library>> = {
  Drizzle: async ({ db: stack }) => {
    const pool = asPgPool(stack);
    const db = drizzle(pool);
    return {
      transaction: (texts) =>
        db.transaction((tx) => inTurn(texts, async (text) => (await tx.execute(drizzleSql.raw(text))).rows)),
      leaveOpen: async (text) => {
        const client = await pool.connect();
        const own = drizzle(client);
        await own.execute(drizzleSql`BEGIN`);
        await own.execute(drizzleSql.raw(text));
        client.release();
      },
      run: (text) => db.execute(drizzleSql.raw(text)),
      close: () => pool.end(),
    };
  },
  Kysely: async ({ db: stack }) => {
    const db = new Kysely<object>({ dialect: new PostgresDialect({ pool: asPgPool(stack) }) });
    const raw = async (on: Kysely<object>, text: string): Promise<readonly Row[]> =>
      (await on.executeQuery<Row>(CompiledQuery.raw(text))).rows;
    return {
      transaction: (texts) => db.transaction().execute((tx) => inTurn(texts, (text) => raw(tx, text))),
      leaveOpen: (text) =>
        db.connection().execute(async (connection) => {
          await raw(connection, "BEGIN");
          await raw(connection, text);
        }),
      run: (text) => raw(db, text),
      close: () => db.destroy(),
    };
  },
  "Prisma's adapter": async ({ db: stack }) => {
    const adapter = await new PrismaPg(asPgPool(stack), { disposeExternalPool: true }).connect();
    const rows = async (on: Pick<typeof adapter, "queryRaw">, sql: string): Promise<readonly Row[]> => {
      const found = await on.queryRaw({ sql, ...none });
      return found.rows.map((row) => Object.fromEntries(found.columnNames.map((name, at) => [name, row[at]])));
    };
    return {
      transaction: async (texts) => {
        const tx = await adapter.startTransaction();
        const all = await inTurn(texts, (text) => rows(tx, text)).catch(async (error: unknown) => {
          await tx.executeRaw({ sql: "ROLLBACK", ...none }).catch(() => undefined);
          await tx.rollback();
          throw error;
        });
        await tx.executeRaw({ sql: "COMMIT", ...none });
        await tx.commit();
        return all;
      },
      leaveOpen: async (text) => {
        const tx = await adapter.startTransaction();
        await rows(tx, text);
        await tx.commit();
      },
      run: (text) => adapter.executeScript(text),
      close: () => adapter.dispose(),
    };
  },
  "Knex, given a pool": async ({ db: stack }) => {
    const pool = asPgPool(stack);
    const db = knex({ client: "pg", connectionPool: pool } as never);
    return {
      transaction: (texts) =>
        db.transaction((tx) => inTurn(texts, async (text) => (await tx.raw<{ rows: Row[] }>(text)).rows)),
      leaveOpen: async (text) => {
        const connection = (await db.client.acquireConnection()) as unknown;
        await db.raw("BEGIN").connection(connection);
        await db.raw(text).connection(connection);
        await db.client.releaseConnection(connection);
      },
      run: (text) => db.raw(text),
      close: async () => {
        await db.destroy();
        await pool.end();
      },
    };
  },
  "Knex, given the driver module": async ({ db: stack, watched: watching }) => {
    const module = moduleFor(watching);
    class Client extends PostgresClient {
      protected override _driver(): unknown {
        return module;
      }
    }
    const connection = { connectionString: cluster().primary.connectionString };
    const db = knex({ client: Client as typeof knex.Client, connection, pool: { min: 0, max: 2 } });
    return {
      transaction: (texts) =>
        db.transaction((tx) => inTurn(texts, async (text) => (await tx.raw<{ rows: Row[] }>(text)).rows)),
      run: (text) => db.raw(text),
      close: async () => {
        await db.destroy();
        await stack.close();
      },
    };
  },
  Sequelize: async ({ db: stack, watched: watching }) => {
    const db = new Sequelize(cluster().primary.connectionString, {
      dialect: "postgres",
      dialectModule: moduleFor(watching),
      logging: false,
    });
    return {
      transaction: (texts) =>
        db.transaction((transaction) =>
          inTurn(texts, async (text) => (await db.query(text, { transaction }))[0] as readonly Row[]),
        ),
      run: (text) => db.query(text),
      close: async () => {
        await db.close();
        await stack.close();
      },
    };
  },
  TypeORM: async ({ db: stack, watched: watching }) => {
    const source = new DataSource({
      type: "postgres",
      url: cluster().primary.connectionString,
      driver: moduleFor(watching),
    });
    await source.initialize();
    return {
      transaction: (texts) =>
        source.transaction((manager) => inTurn(texts, (text) => manager.query<readonly Row[]>(text))),
      run: (text) => source.query(text),
      close: async () => {
        await source.destroy();
        await stack.close();
      },
    };
  },
  "@fastify/postgres": async ({ db: stack }) => {
    const app = fastify();
    const pool = asPgPool(stack);
    await app.register(fastifyPostgres, {
      pg: {
        Pool: function Pool() {
          return pool;
        },
      },
    } as never);
    await app.ready();
    return {
      transaction: (texts) =>
        app.pg.transact((client) => inTurn(texts, async (text) => (await client.query<Row>(text)).rows)),
      leaveOpen: async (text) => {
        const client = await app.pg.connect();
        await client.query("BEGIN");
        await client.query(text);
        client.release();
      },
      run: (text) => app.pg.query(text),
      close: () => app.close(),
    };
  },
};

async function inTurn<T>(texts: readonly string[], run: (text: string) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const text of texts) results.push(await run(text));
  return results;
}

const WHERE = "SELECT pg_backend_pid() AS pid, pg_is_in_recovery() AS standby";

describe.each(Object.entries(LIBRARIES))("a transaction that %s makes", (name, library) => {
  const table = `by_${name.replaceAll(/\W+/g, "_").toLowerCase()}`;

  async function use(work: (used: Used, seen: string[], stack: Database) => Promise<void>): Promise<void> {
    const watching = watched();
    const db = stackOn(cluster(), { policies: [watching.watch] });
    const used = await library({ db, watched: watching });
    try {
      await cluster().primary.query(`CREATE TABLE IF NOT EXISTS ${table} (id int)`);
      await cluster().primary.query(`TRUNCATE ${table}`);
      await work(used, watching.seen, db);
    } finally {
      await used.close();
    }
  }

  async function kept(): Promise<readonly unknown[]> {
    return (await cluster().primary.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id);
  }

  it("runs on one connection of the primary, reads too, past the stack's own statements", async () => {
    await use(async (used, seen) => {
      // Whatever a library asks at its beginning has been asked by then.
      await used.run("SELECT 1");
      const [first, , second] = await used.transaction([WHERE, `INSERT INTO ${table} VALUES (1)`, WHERE]);
      expect(first).toMatchObject([{ standby: false }]);
      expect(second).toEqual(first);
      expect(seen.filter((text) => text === WHERE || text.includes(table))).toEqual([]);
      expect(await kept()).toEqual([1]);
    });
  });

  it("ends with its connection, and nothing of it is repeated", async () => {
    await use(async (used) => {
      const dying = used.transaction([
        `INSERT INTO ${table} VALUES (1)`,
        "SELECT pg_terminate_backend(pg_backend_pid())",
        `INSERT INTO ${table} VALUES (2)`,
      ]);
      await expect(dying).rejects.toThrow(/terminat|not queryable|reset|rollback/i);
      expect(await kept()).toEqual([]);
      await used.transaction([`INSERT INTO ${table} VALUES (3)`]);
      expect(await kept()).toEqual([3]);
    });
  });

  it("is rolled back when it is left open", async ({ skip }) => {
    await use(async (used, _seen, stack) => {
      const { leaveOpen } = used;
      skip(leaveOpen === undefined, "the library gives no connection back in a transaction");
      const rolledBack: unknown[] = [];
      stack.on("connection:open-transaction", (event) => rolledBack.push(event));
      await leaveOpen?.(`INSERT INTO ${table} VALUES (1)`);
      await expect.poll(() => rolledBack).toHaveLength(1);
      await used.run(`INSERT INTO ${table} VALUES (2)`);
      expect(await kept()).toEqual([2]);
    });
  });
});
