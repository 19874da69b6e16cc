import { PrismaPg } from "@prisma/adapter-pg";
import * as driver from "breakwater/pg";
import { eq, sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgTable, serial, text } from "drizzle-orm/pg-core";
import knex from "knex";
import PostgresClient from "knex/lib/dialects/postgres/index.js";
import { type Generated, Kysely, PostgresDialect } from "kysely";
import { Sequelize } from "sequelize";
import { DataSource, EntitySchema } from "typeorm";
import { describe, expect, it } from "vitest";
import { useCluster, withPool } from "./support.ts";

const cluster = useCluster();

describe("Drizzle on asPgPool", () => {
  const books = pgTable("drizzle_books", { id: serial().primaryKey(), title: text().notNull(), stock: integer() });

  it("writes, reads, commits and rolls back", async () => {
    await withPool(cluster(), async (pool) => {
      const db = drizzle(pool);
      await db.execute(drizzleSql`CREATE TABLE drizzle_books (id serial PRIMARY KEY, title text NOT NULL, stock int)`);
      const [made] = await db.insert(books).values({ title: "Orlando", stock: 3 }).returning();
      await db.transaction(async (tx) => {
        await tx.update(books).set({ stock: 2 }).where(eq(books.id, made!.id));
      });
      const failed = db.transaction(async (tx) => {
        await tx.update(books).set({ stock: 1 });
        throw new Error("changed my mind");
      });
      await expect(failed).rejects.toThrow("changed my mind");
      expect(await db.select().from(books)).toEqual([{ id: made!.id, title: "Orlando", stock: 2 }]);
    });
  });
});

describe("Kysely on asPgPool", () => {
  interface Tables {
    kysely_books: { id: Generated<number>; title: string };
  }

  it("writes, reads, commits, rolls back and streams", async () => {
    await withPool(cluster(), async (pool) => {
      const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
      await db.schema
        .createTable("kysely_books")
        .addColumn("id", "serial", (column) => column.primaryKey())
        .addColumn("title", "text")
        .execute();
      await db.insertInto("kysely_books").values({ title: "Flush" }).execute();
      await db.transaction().execute((tx) => tx.insertInto("kysely_books").values({ title: "The Waves" }).execute());
      const failed = db.transaction().execute(async (tx) => {
        await tx.deleteFrom("kysely_books").execute();
        throw new Error("changed my mind");
      });
      await expect(failed).rejects.toThrow("changed my mind");
      const rows = await db.selectFrom("kysely_books").select("title").orderBy("id").execute();
      expect(rows).toEqual([{ title: "Flush" }, { title: "The Waves" }]);
      await db.destroy();
      expect(pool.ended).toBe(true);
    });
  });
});

describe("Prisma's adapter on asPgPool", () => {
  it("runs statements and transactions", async () => {
    await withPool(cluster(), async (pool) => {
      const adapter = await new PrismaPg(pool).connect();
      const none = { args: [], argTypes: [] };
      await adapter.executeScript("CREATE TABLE prisma_books (id int PRIMARY KEY, title text)");
      const transaction = await adapter.startTransaction();
      await transaction.executeRaw({ sql: "INSERT INTO prisma_books VALUES (1, 'Orlando')", ...none });
      // The adapter leaves it to Prisma's client to say so.
      await transaction.executeRaw({ sql: "COMMIT", ...none });
      await transaction.commit();
      const undone = await adapter.startTransaction();
      await undone.executeRaw({ sql: "DELETE FROM prisma_books", ...none });
      // Given back without a word: the layer rolls it back.
      await undone.commit();
      const found = await adapter.queryRaw({ sql: "SELECT title FROM prisma_books", ...none });
      expect(found.rows).toEqual([["Orlando"]]);
      await adapter.dispose();
    });
  });
});

describe("TypeORM on breakwater/pg", () => {
  const Book = new EntitySchema<{ id: number; title: string }>({
    name: "typeorm_book",
    columns: { id: { type: "int", primary: true, generated: true }, title: { type: "text" } },
  });

  it("makes its tables, saves, finds and rolls back", async () => {
    const source = new DataSource({
      type: "postgres",
      url: cluster().primary.connectionString,
      driver,
      entities: [Book],
      synchronize: true,
    });
    await source.initialize();
    try {
      expect((source.driver as unknown as { master: unknown }).master).toBeInstanceOf(driver.Pool);
      await source.manager.save(Book, { title: "Night and Day" });
      const failed = source.transaction(async (manager) => {
        await manager.query("DELETE FROM typeorm_book");
        throw new Error("changed my mind");
      });
      await expect(failed).rejects.toThrow("changed my mind");
      expect(await source.manager.find(Book)).toEqual([{ id: 1, title: "Night and Day" }]);
    } finally {
      await source.destroy();
    }
  });
});

describe("Knex on asPgPool", () => {
  it("takes its connections from the pool", async () => {
    await withPool(cluster(), async (pool) => {
      class Client extends PostgresClient {
        override _acquireOnlyConnection(): Promise<unknown> {
          return pool.connect();
        }
        override destroyRawConnection(connection: { release(): void }): Promise<void> {
          connection.release();
          return Promise.resolve();
        }
      }
      const db = knex({ client: Client as typeof knex.Client, connection: {}, pool: { min: 0, max: 3 } });
      await db.schema.createTable("knex_books", (table) => table.text("title"));
      await db("knex_books").insert({ title: "Jacob's Room" });
      const failed = db.transaction(async (tx) => {
        await tx("knex_books").delete();
        throw new Error("changed my mind");
      });
      await expect(failed).rejects.toThrow("changed my mind");
      expect(await db("knex_books").select()).toEqual([{ title: "Jacob's Room" }]);
      await db.destroy();
      expect(pool.idleCount).toBe(pool.totalCount);
    });
  });
});

describe("Knex on breakwater/pg", () => {
  it("makes its clients of the module, and streams", async () => {
    class Client extends PostgresClient {
      protected override _driver(): unknown {
        return driver;
      }
    }
    const connection = { connectionString: cluster().primary.connectionString };
    const db = knex({
      client: Client as typeof knex.Client,
      connection,
      searchPath: ["public"],
      pool: { min: 0, max: 3 },
    });
    await db.schema.createTable("knex_client_books", (table) => table.text("title"));
    await db("knex_client_books").insert([{ title: "Orlando" }, { title: "Flush" }]);
    const held = (await db.client.acquireConnection()) as unknown;
    expect(held).toBeInstanceOf(driver.Client);
    await db.client.releaseConnection(held);
    const titles: string[] = [];
    for await (const { title } of db("knex_client_books").select("title").stream()) titles.push(title as string);
    expect(titles).toEqual(["Orlando", "Flush"]);
    await db.destroy();
  });
});

describe("Sequelize on breakwater/pg", () => {
  it("takes the module", async () => {
    const db = new Sequelize(cluster().primary.connectionString, {
      dialect: "postgres",
      dialectModule: driver,
      logging: false,
    });
    await db.query("CREATE TABLE sequelize_books (title text)");
    await db.query("INSERT INTO sequelize_books VALUES ('Flush')");
    const failed = db.transaction(async (transaction) => {
      await db.query("DELETE FROM sequelize_books", { transaction });
      throw new Error("changed my mind");
    });
    await expect(failed).rejects.toThrow("changed my mind");
    const [rows] = await db.query("SELECT * FROM sequelize_books");
    expect(rows).toEqual([{ title: "Flush" }]);
    await db.close();
  });
});
