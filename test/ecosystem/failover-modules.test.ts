import { PrismaPg } from "@prisma/adapter-pg";
import { asPgPool } from "@breakwater/pg";
import { ledgerTableSql } from "breakwater";
import { type DriverModule, driverModule } from "breakwater/pg";
import knex, { type Knex } from "knex";
import PostgresClient from "knex/lib/dialects/postgres/index.js";
import { Sequelize } from "sequelize";
import { DataSource, EntitySchema } from "typeorm";
import { describe, expect, it } from "vitest";
import { loadThroughFailover, SAFE_CLUSTER, SAFE_STACK, stackOn, useCluster } from "./support.ts";

const cluster = useCluster(SAFE_CLUSTER);

/** The driver module for a library that makes its pools and clients itself. */
async function safeModule(): Promise<DriverModule> {
  const setup = stackOn(cluster());
  await setup.query(ledgerTableSql());
  await setup.close();
  const replicas = cluster()
    .nodes.filter((node) => node !== cluster().primary)
    .map((node) => node.connectionString);
  return driverModule({ breakwater: { ...SAFE_STACK, replicas }, face: { exactlyOnce: true } });
}

/** What a table of `worker` and `turn` holds, asked past every stack. */
async function held(table: string): Promise<{ entries: number; distinct: number }> {
  const [row] = await cluster().primary.query<{ entries: number; distinct: number }>(
    `SELECT count(*)::int AS entries, count(DISTINCT (worker, turn))::int AS distinct FROM ${table}`,
  );
  return row!;
}

async function knexOn(driver: DriverModule): Promise<Knex> {
  class Client extends PostgresClient {
    protected override _driver(): unknown {
      return driver;
    }
  }
  const connection = { connectionString: cluster().primary.connectionString };
  const db = knex({ client: Client as typeof knex.Client, connection, pool: { min: 0, max: 8 } });
  await db.schema.createTable("knex_entries", (table) => {
    table.integer("worker");
    table.integer("turn");
  });
  return db;
}

describe("a failover under load", () => {
  it("is not noticed by Knex's statements, on clients that it makes itself", async () => {
    const db = await knexOn(await safeModule());
    try {
      const { calls, failures } = await loadThroughFailover(cluster(), async (worker, turn) => {
        await db("knex_entries").insert({ worker, turn });
      });
      expect(failures).toEqual([]);
      expect(await held("knex_entries")).toEqual({ entries: calls, distinct: calls });
      const transactions = await loadThroughFailover(cluster(), (worker, turn) =>
        db.transaction(async (tx) => {
          await tx("knex_entries").insert({ worker, turn: -turn - 1 });
          await tx("knex_entries")
            .where({ worker, turn: -turn - 1 })
            .update({ worker: worker + 100 });
        }),
      );
      expect(transactions.failures.length).toBeLessThanOrEqual(16);
      const halves = await cluster().primary.query("SELECT 1 FROM knex_entries WHERE turn < 0 AND worker < 100");
      expect(halves).toEqual([]);
    } finally {
      await db.destroy();
    }
  });

  it("is not noticed by Sequelize's statements, on clients that it makes itself", async () => {
    const db = new Sequelize(cluster().primary.connectionString, {
      dialect: "postgres",
      dialectModule: await safeModule(),
      logging: false,
      pool: { max: 8 },
    });
    try {
      await db.query("CREATE TABLE sequelize_entries (worker int, turn int)");
      const { calls, failures } = await loadThroughFailover(cluster(), async (worker, turn) => {
        await db.query("INSERT INTO sequelize_entries VALUES (:worker, :turn)", { replacements: { worker, turn } });
      });
      expect(failures).toEqual([]);
      expect(await held("sequelize_entries")).toEqual({ entries: calls, distinct: calls });
    } finally {
      await db.close();
    }
  });

  it("is not noticed by TypeORM's statements, on a pool that it makes itself", async () => {
    const Entry = new EntitySchema<{ id: number; worker: number; turn: number }>({
      name: "typeorm_entries",
      columns: {
        id: { type: "int", primary: true, generated: true },
        worker: { type: "int" },
        turn: { type: "int" },
      },
    });
    const source = new DataSource({
      type: "postgres",
      url: cluster().primary.connectionString,
      driver: await safeModule(),
      entities: [Entry],
      synchronize: true,
    });
    await source.initialize();
    try {
      const entries = source.getRepository(Entry);
      const { calls, failures } = await loadThroughFailover(cluster(), async (worker, turn) => {
        // `save` would make a transaction of it by hand.
        await entries.insert({ worker, turn });
      });
      expect(failures).toEqual([]);
      expect(await held("typeorm_entries")).toEqual({ entries: calls, distinct: calls });
    } finally {
      await source.destroy();
    }
  });

  it("is not noticed by the statements of Prisma's adapter", async () => {
    await safeModule();
    const db = stackOn(cluster(), SAFE_STACK);
    const adapter = await new PrismaPg(asPgPool(db, { exactlyOnce: true })).connect();
    try {
      await adapter.executeScript("CREATE TABLE prisma_entries (worker int, turn int)");
      const { calls, failures } = await loadThroughFailover(cluster(), (worker, turn) =>
        adapter.executeRaw({
          sql: "INSERT INTO prisma_entries VALUES ($1, $2)",
          args: [worker, turn],
          argTypes: [
            { scalarType: "int", arity: "scalar" },
            { scalarType: "int", arity: "scalar" },
          ],
        }),
      );
      expect(failures).toEqual([]);
      expect(await held("prisma_entries")).toEqual({ entries: calls, distinct: calls });
    } finally {
      await adapter.dispose();
      await db.close();
    }
  });
});
