import fastifyPostgres from "@fastify/postgres";
import driver from "breakwater/pg";
import connectPgSimple from "connect-pg-simple";
import session from "express-session";
import fastify from "fastify";
import { promisify } from "node:util";
import { RateLimiterPostgres } from "rate-limiter-flexible";
import { describe, expect, it } from "vitest";
import { useCluster, withPool } from "./support.ts";

const cluster = useCluster();

describe("connect-pg-simple on asPgPool", () => {
  it("makes its table, keeps a session and forgets it", async () => {
    await withPool(cluster(), async (pool) => {
      const store = new (connectPgSimple(session))({ pool, createTableIfMissing: true, pruneSessionInterval: false });
      const kept = { cookie: { maxAge: 60_000 }, user: "Vita" };
      await promisify(store.set.bind(store))("id", kept);
      expect(await promisify<string, unknown>(store.get.bind(store))("id")).toMatchObject({ user: "Vita" });
      await promisify(store.destroy.bind(store))("id");
      expect(await promisify<string, unknown>(store.get.bind(store))("id")).toBeFalsy();
      await store.close();
    });
  });
});

describe("@fastify/postgres on breakwater/pg", () => {
  it("queries and makes transactions in a route", async () => {
    const app = fastify();
    await app.register(fastifyPostgres, {
      pg: driver as never,
      connectionString: cluster().primary.connectionString,
    });
    app.post("/visits", async () => {
      await app.pg.query("CREATE TABLE visits (path text)");
      await app.pg.transact((client) => client.query("INSERT INTO visits VALUES ('/')"));
      const failed = app.pg.transact(async (client) => {
        await client.query("DELETE FROM visits");
        throw new Error("changed my mind");
      });
      await failed.catch(() => undefined);
      const client = await app.pg.connect();
      const { rows } = await client.query("SELECT path FROM visits");
      client.release();
      return rows;
    });
    const answer = await app.inject({ method: "POST", url: "/visits" });
    expect(answer.json()).toEqual([{ path: "/" }]);
    expect(app.pg.pool).toBeInstanceOf(driver.Pool);
    await app.close();
  });
});

describe("rate-limiter-flexible on asPgPool", () => {
  it("knows a pool by its name, counts, and refuses", async () => {
    await withPool(cluster(), async (pool) => {
      const limiter = await new Promise<RateLimiterPostgres>((resolve, reject) => {
        const made: RateLimiterPostgres = new RateLimiterPostgres(
          { storeClient: pool, points: 2, duration: 60, tableName: "limits", keyPrefix: "visits" },
          (error?: Error) => (error === undefined ? resolve(made) : reject(error)),
        );
      });
      await Promise.all([limiter.consume("vita"), limiter.consume("vita")]);
      await expect(limiter.consume("vita")).rejects.toMatchObject({ remainingPoints: 0 });
    });
  });
});
