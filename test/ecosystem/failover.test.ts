import { type Database, ledgerTableSql } from "breakwater";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgTable } from "drizzle-orm/pg-core";
import { Kysely, PostgresDialect } from "kysely";
import type pg from "pg";
import { PgBoss } from "pg-boss";
import { describe, expect, it } from "vitest";
import { type Loaded, loadThroughFailover, SAFE_CLUSTER, SAFE_STACK, useCluster, withPool } from "./support.ts";

const cluster = useCluster(SAFE_CLUSTER);

/** Runs `use` on a pool whose writes are done exactly once, whatever happens to the primary. */
function exactlyOnce<T>(use: (pool: pg.Pool, stack: Database) => Promise<T>): Promise<T> {
  return withPool(
    cluster(),
    async (pool, db) => {
      await db.query(ledgerTableSql());
      return await use(pool, db);
    },
    { exactlyOnce: true },
    SAFE_STACK,
  );
}

function throughFailover(work: (worker: number, turn: number) => Promise<unknown>): Promise<Loaded> {
  return loadThroughFailover(cluster(), work);
}

describe("a pool before a primary and its replicas", () => {
  it("sends reads to a replica, and whatever a library makes of a client to the primary", async () => {
    await exactlyOnce(async (pool, stack) => {
      const db = drizzle(pool);
      const read = (): number => {
        const replicas = stack.stats().nodes.filter(({ role }) => role === "replica");
        return replicas.reduce((sum, node) => sum + node.pool.total, 0);
      };
      const where = drizzleSql`SELECT pg_is_in_recovery() AS standby, pg_backend_pid() AS pid`;
      const [first, second] = await db.transaction(async (tx) => [await tx.execute(where), await tx.execute(where)]);
      expect(first?.rows[0]).toMatchObject({ standby: false });
      expect(second?.rows).toEqual(first?.rows);
      expect(read()).toBe(0);
      await expect.poll(() => db.execute(drizzleSql`SELECT 1`).then(read)).toBeGreaterThan(0);
    });
  });
});

describe("a failover under load", () => {
  it("is not noticed by Drizzle's statements", async () => {
    await exactlyOnce(async (pool) => {
      const db = drizzle(pool);
      const entries = pgTable("drizzle_entries", { worker: integer(), turn: integer() });
      await db.execute(drizzleSql`CREATE TABLE drizzle_entries (worker int, turn int)`);
      const { calls, failures } = await throughFailover(async (worker, turn) => {
        await db.insert(entries).values({ worker, turn });
      });
      expect(failures).toEqual([]);
      expect(await db.$count(entries)).toBe(calls);
    });
  });

  it("is not noticed by Kysely's statements, for each of which it borrows a client", async () => {
    await exactlyOnce(async (pool) => {
      const db = new Kysely<{ kysely_entries: { worker: number; turn: number } }>({
        dialect: new PostgresDialect({ pool }),
      });
      await db.schema
        .createTable("kysely_entries")
        .addColumn("worker", "integer")
        .addColumn("turn", "integer")
        .execute();
      const { calls, failures } = await throughFailover(async (worker, turn) => {
        await db.insertInto("kysely_entries").values({ worker, turn }).execute();
        const own = db.selectFrom("kysely_entries").where("worker", "=", worker).where("turn", "=", turn);
        const found = await own.select(db.fn.countAll<string>().as("count")).executeTakeFirstOrThrow();
        if (found.count !== "1") throw new Error(`worker ${worker} reads ${found.count} times what it wrote once`);
      });
      expect(failures).toEqual([]);
      const { count } = await db
        .selectFrom("kysely_entries")
        .select(db.fn.countAll<string>().as("count"))
        .executeTakeFirstOrThrow();
      expect(Number(count)).toBe(calls);
    });
  });

  it("is not noticed by pg-boss", async () => {
    await exactlyOnce(async (pool) => {
      const boss = new PgBoss({ db: { executeSql: (text, values) => pool.query(text, values) } });
      const errors: unknown[] = [];
      boss.on("error", (error) => errors.push(error));
      await boss.start();
      await boss.createQueue("mail");
      const { calls, failures } = await throughFailover(async (worker, turn) => {
        await boss.send("mail", { worker, turn });
      });
      expect(failures).toEqual([]);
      expect(errors).toEqual([]);
      const { rows } = await pool.query("SELECT count(*)::int AS jobs FROM pgboss.job WHERE name = 'mail'");
      expect(rows).toEqual([{ jobs: calls }]);
      await boss.stop({ graceful: false });
    });
  });

  it("ends hand-made transactions honestly: what was acknowledged is there, what was cut off is not half there", async () => {
    await exactlyOnce(async (pool) => {
      const db = drizzle(pool);
      await db.execute(drizzleSql`CREATE TABLE pairs (worker int, turn int, side text)`);
      const acknowledged = new Set<string>();
      const { failures } = await throughFailover(async (worker, turn) => {
        await db.transaction(async (tx) => {
          await tx.execute(drizzleSql`INSERT INTO pairs VALUES (${worker}, ${turn}, 'left')`);
          await tx.execute(drizzleSql`INSERT INTO pairs VALUES (${worker}, ${turn}, 'right')`);
        });
        acknowledged.add(`${worker}/${turn}`);
      });
      const { rows } = await pool.query<{ name: string; sides: number }>(
        "SELECT worker || '/' || turn AS name, count(*)::int AS sides FROM pairs GROUP BY 1",
      );
      expect(rows.filter(({ sides }) => sides !== 2)).toEqual([]);
      const kept = new Set(rows.map(({ name }) => name));
      expect([...acknowledged].filter((name) => !kept.has(name))).toEqual([]);
      // Each of the eight workers had at most one transaction under way, and one that began on what it was left with.
      expect(failures.length).toBeLessThanOrEqual(16);
    });
  });
});
