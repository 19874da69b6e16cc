import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Logger, quickAddJob, run as runWorker } from "graphile-worker";
import { Client } from "breakwater/pg";
import { runner as migrate } from "node-pg-migrate";
import { PgBoss } from "pg-boss";
import { migrate as runMigrations } from "postgres-migrations";
import { describe, expect, it } from "vitest";
import { useCluster, withPool } from "./support.ts";

const cluster = useCluster();

describe("pg-boss on asPgPool", () => {
  it("sends, fetches and completes jobs", async () => {
    await withPool(cluster(), async (pool) => {
      const boss = new PgBoss({ db: { executeSql: (text, values) => pool.query(text, values) } });
      const errors: unknown[] = [];
      boss.on("error", (error) => errors.push(error));
      await boss.start();
      await boss.createQueue("mail");
      const id = await boss.send("mail", { to: "virginia" });
      const [job] = await boss.fetch<{ to: string }>("mail");
      expect(job).toMatchObject({ id, data: { to: "virginia" } });
      await boss.complete("mail", job!.id);
      await boss.stop({ graceful: false });
      expect(errors).toEqual([]);
    });
  });
});

describe("graphile-worker on asPgPool", () => {
  it("hears of a job, runs it, and stops cleanly", async () => {
    await withPool(cluster(), async (pool, db) => {
      // It asks for somebody who hears of idle connections that die.
      pool.on("error", () => undefined);
      pool.on("connect", () => undefined);
      let greeted: (payload: unknown) => void = () => undefined;
      const payload = new Promise((resolve) => (greeted = resolve));
      const worker = await runWorker({
        pgPool: pool,
        concurrency: 2,
        noHandleSignals: true,
        // So late that only the notification can have told of the job.
        pollInterval: 60_000,
        taskList: { greet: (given) => greeted(given) },
        logger: new Logger(() => () => undefined),
      });
      await quickAddJob({ pgPool: pool }, "greet", { name: "Leonard" });
      expect(await payload).toEqual({ name: "Leonard" });
      await worker.stop();
      await expect.poll(() => db.stats().active).toBe(0);
    });
  });
});

describe("node-pg-migrate on asPgPool", () => {
  it("migrates up and down on a client of the pool", async () => {
    const dir = mkdtempSync(path.join(tmpdir(), "breakwater-migrations-"));
    try {
      writeFileSync(
        path.join(dir, "1700000000000_shelves.sql"),
        "-- Up Migration\nCREATE TABLE shelves (id int);\n-- Down Migration\nDROP TABLE shelves;\n",
      );
      await withPool(cluster(), async (pool) => {
        const shelves = async (): Promise<unknown> =>
          (await pool.query("SELECT to_regclass('shelves') AS name", [])).rows[0]?.name;
        for (const [direction, name] of [
          ["up", "shelves"],
          ["down", null],
        ] as const) {
          const dbClient = await pool.connect();
          await migrate({ dbClient, dir, direction, migrationsTable: "shelf_migrations", log: () => undefined });
          dbClient.release();
          expect(await shelves()).toBe(name);
        }
      });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe("postgres-migrations on a Client of breakwater/pg", () => {
  it("migrates once", async () => {
    const dir = mkdtempSync(path.join(tmpdir(), "breakwater-migrations-"));
    try {
      writeFileSync(path.join(dir, "1_rooms.sql"), "CREATE TABLE rooms (id int);");
      // It looks for its table in all schemas, and others have one of that name.
      await cluster().primary.query("CREATE DATABASE rooms");
      const url = new URL(cluster().primary.connectionString);
      url.pathname = "/rooms";
      for (const times of [1, 2]) {
        const client = new Client(url.href);
        await client.connect();
        const done = await runMigrations({ client }, dir);
        // It counts its own table among them.
        expect(done).toHaveLength(times === 1 ? 2 : 0);
        await client.end();
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
