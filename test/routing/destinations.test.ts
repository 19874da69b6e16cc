/**
 * Two real clusters and a database for each tenant behind one face.
 */
import { type Cluster, startCluster } from "@breakwater/chaos";
import { type Database, database } from "@breakwater/core";
import { asPgPool } from "@breakwater/pg";
import { destinations } from "@breakwater/policies";
import { breakwater } from "breakwater";
import { statusHandler } from "breakwater/status";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noConnectionLeft, stackOn, through } from "../support/database.ts";

const TENANTS = ["acme", "Ümläut & Söhne", "third"];

describe("several databases behind one face", () => {
  let shop: Cluster;
  let archive: Cluster;
  let db: Database;

  beforeAll(async () => {
    [shop, archive] = await Promise.all([
      startCluster({ replicas: 1, synchronous: true }),
      startCluster({ replicas: 1 }),
    ]);
    for (const cluster of [shop, archive]) {
      await cluster.primary.query("CREATE TABLE orders (id serial PRIMARY KEY, note text)");
      await cluster.waitForStreaming();
    }
    for (const tenant of TENANTS) await archive.primary.query(`CREATE DATABASE "${tenant}"`);
    db = database(
      destinations({
        to: { shop: stackOn(shop), archive: stackOn(archive) },
        default: "shop",
        rules: [
          { match: /\barchived_/i, to: "archive" },
          { label: "audit", to: "archive" },
          { to: ({ tenant }) => tenant },
        ],
        open: (tenant) => breakwater({ primary: { ...through(archive.primary), database: tenant }, pool: { max: 2 } }),
      }),
    );
  });
  afterAll(async () => {
    await db?.close();
    await noConnectionLeft(shop);
    await noConnectionLeft(archive);
    await Promise.all([shop, archive].map((cluster) => cluster?.close()));
  });

  const port = async (face: Database, options = {}): Promise<number | undefined> =>
    face.value<number>("SELECT inet_server_port()", [], { access: "write", ...options });

  it("goes where the rules say: statements, transactions, streams and borrowed connections", async () => {
    const [here, there] = [shop.primary.directPort, archive.primary.directPort];
    expect(await port(db)).toBe(here);
    expect(await port(db, { label: "audit" })).toBe(there);
    expect(await port(db, { destination: "archive" })).toBe(there);
    expect(await db.value("SELECT inet_server_port() FROM (VALUES (1)) AS archived_x", [], { access: "write" })).toBe(
      there,
    );
    const inside = await db.transaction((tx) => tx.value<number>("SELECT inet_server_port()"), { label: "audit" });
    expect(inside).toBe(there);
    using held = await db.connect({ label: "audit" });
    expect(await held.value("SELECT inet_server_port()")).toBe(there);
    const streamed: unknown[] = [];
    for await (const row of db.with({ label: "audit", access: "write" }).stream("SELECT inet_server_port() AS port"))
      streamed.push(row);
    expect(streamed).toEqual([{ port: there }]);
    using status = statusHandler(db);
    const [report] = status.report().databases;
    // What only the router of each knows.
    expect(report?.nodes.map(({ name, weight }) => [name.split("/")[0], weight])).toEqual(
      ["shop", "shop", "archive", "archive"].map((name) => [name, 1]),
    );
  });

  it("reads own writes from the replicas of each, and tells the histories apart", async () => {
    // The archive's replica stands still, and the shop is far ahead of the archive in its own history.
    await shop.primary.query("SELECT pg_switch_wal() FROM generate_series(1, 3)");
    const session = db.session();
    const far = session.with({ destination: "archive" });
    await session.query("INSERT INTO orders (note) VALUES ('here')");
    await far.query("INSERT INTO orders (note) VALUES ('there')");
    const replayed = archive.replicas[0];
    await replayed?.pauseReplay();
    await far.query("INSERT INTO orders (note) VALUES ('unseen')");
    expect(await far.value("SELECT count(*)::int FROM orders")).toBe(2);
    expect(await session.value("SELECT count(*)::int FROM orders")).toBe(1);
    const other = db.session({ token: session.token }).with({ destination: "archive" });
    expect(await other.value("SELECT count(*)::int FROM orders")).toBe(2);
    await replayed?.resumeReplay();
  });

  it("keeps a database for each tenant, and hears each", async () => {
    await Promise.all(
      TENANTS.map(async (tenant, at) => {
        const own = db.with({ tenant });
        await own.query("CREATE TABLE mine (id int)");
        await own.transaction(async (tx) => {
          for (let id = 0; id <= at; id += 1) await tx.query("INSERT INTO mine VALUES ($1)", [id]);
        });
        const heard = Promise.withResolvers<string>();
        await using _ = await own.listen("news", ({ payload }) => heard.resolve(payload));
        await own.notify("news", tenant);
        expect(await heard.promise).toBe(tenant);
        expect(await own.rows("SELECT current_database() AS name, count(*)::int AS count FROM mine")).toEqual([
          { name: tenant, count: at + 1 },
        ]);
      }),
    );
    expect(db.stats().policies[0]).toMatchObject({ open: TENANTS.length });
    await expect(db.with({ tenant: "nobody" }).query("SELECT 1")).rejects.toMatchObject({ code: "3D000" });
  });

  it("goes on listening when the destination is closed and made again", async () => {
    const tenant = TENANTS[0] as string;
    const own = db.with({ tenant });
    const [gap, heard] = [Promise.withResolvers<unknown>(), Promise.withResolvers<string>()];
    await using _ = await own.listen("news", ({ payload }) => heard.resolve(payload), { onGap: gap.resolve });
    expect(await db.controls.get("destinations").act("close", tenant, { drainMs: 0 })).toBe(true);
    expect(await gap.promise).toMatchObject({ channel: "news" });
    await own.notify("news", "again");
    expect(await heard.promise).toBe("again");
  });

  it("stands behind a pg.Pool, of one destination or of a session there", async () => {
    for (const face of [db.with({ destination: "archive" }), db.session().with({ label: "audit" })]) {
      const pool = asPgPool(face);
      const { rows } = await pool.query("SELECT inet_server_port() AS port");
      const client = await pool.connect();
      const lent = await client.query("SELECT inet_server_port() AS port");
      client.release();
      const ports = [archive.primary.directPort, archive.replicas[0]?.directPort];
      expect(ports).toContain(rows[0].port);
      expect(ports).toContain(lent.rows[0].port);
      await pool.end();
    }
  });

  it("serves the others while one of them fails over", async () => {
    const writes = Array.from({ length: 20 }, () => db.query("INSERT INTO orders (note) VALUES ('during')"));
    const failing = shop.failover();
    const others = Array.from({ length: 50 }, () => port(db, { destination: "archive" }));
    expect(new Set(await Promise.all(others))).toEqual(new Set([archive.primary.directPort]));
    await failing;
    await Promise.allSettled(writes);
    expect(await port(db)).toBe(shop.primary.directPort);
  });
});
