import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { database, type Database, failureOf, type Pool } from "@breakwater/core";
import { fromPostgresJs, type FromPostgresJsOptions, type PostgresJsConfig } from "@breakwater/postgres-js";
import type postgres from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";
import { Relay } from "./relay.ts";

let cluster: Cluster;
let relay: Relay;
const opened = new Set<Pool>();

beforeAll(async () => {
  cluster = await startCluster({ replicas: 0 });
  await cluster.primary.query("CREATE TABLE notes (id int, body jsonb)");
});
afterAll(() => cluster.close());
beforeEach(async () => {
  await cluster.primary.query("TRUNCATE notes");
  relay = await Relay.to(cluster.primary.port);
});
afterEach(async () => {
  await Promise.all([...opened].map((pool) => pool.close({ drainMs: 0 })));
  opened.clear();
  await relay.close();
});

const config = (more: PostgresJsConfig = {}): PostgresJsConfig => ({
  host: "127.0.0.1",
  port: relay.port,
  user: "postgres",
  database: "postgres",
  ...more,
});
function open(options: FromPostgresJsOptions = {}, more: PostgresJsConfig = {}): { pool: Pool; db: Database } {
  const pool = fromPostgresJs(config(more), { max: 1, ...options });
  opened.add(pool);
  return { pool, db: database(pool) };
}
const rows = async (): Promise<number> =>
  Number((await cluster.primary.query("SELECT count(*) AS n FROM notes"))[0]?.["n"]);

describe("a statement is never sent again behind the layer's back", () => {
  const write = "INSERT INTO notes VALUES (7, $1)";

  it.each([
    ["before it reaches the server", "before", 0],
    ["before its answer comes", "after", 1],
  ] as const)("when the link is cut %s", async (_, when, most) => {
    const { db } = open({ prepare: false });
    await db.query("SELECT 1");
    relay.cut = { text: "no repetition", when };
    const error = await errorOf(db.query("INSERT INTO notes VALUES (7, NULL) /* no repetition */"));
    expect(failureOf(error)).toMatchObject({ effect: "unknown", connection: "destroy" });
    relay.cut = undefined;
    for (let at = 0; at < 5; at += 1) await db.query("SELECT 1");
    expect(relay.count("no repetition")).toBe(1);
    expect(await rows()).toBeLessThanOrEqual(most);
  });

  it("when it was prepared, and its values were never sent: it is known to have had no effect", async () => {
    const { db } = open({ prepare: true });
    await db.query("SELECT 1");
    relay.cut = { text: "notes VALUES", when: "before" };
    const error = await errorOf(db.query(write, [{ a: 1 }]));
    expect(failureOf(error)).toMatchObject({ effect: "none", phase: "unsent" });
    relay.cut = undefined;
    await db.query(write, [{ a: 1 }]);
    expect(relay.count("notes VALUES")).toBe(2);
    expect(await rows()).toBe(1);
  });

  it("when the server has forgotten what was prepared: the call fails without effect, and the next is right", async () => {
    const { db } = open({ prepare: true });
    await db.query(write, [{ a: 1 }]);
    // postgres.js does not see this, and would send the statement again with a JSON text in the place of its JSON.
    await db.query("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$");
    const error = await errorOf(db.query(write, [{ a: 2 }]));
    expect(error).toMatchObject({ code: "26000" });
    expect(failureOf(error)).toMatchObject({ effect: "none" });
    await db.query(write, [{ a: 3 }]);
    const found = await cluster.primary.query("SELECT jsonb_typeof(body) AS type, body FROM notes ORDER BY body");
    expect(found).toEqual([
      { type: "object", body: { a: 1 } },
      { type: "object", body: { a: 3 } },
    ]);
  });

  it("when its connection was lost while idle: another one is opened, for this call alone", async () => {
    const { pool, db } = open();
    const lost: unknown[] = [];
    pool.events.on("connection:lost", ({ error }) => lost.push(error));
    await db.query("SELECT 1");
    await cluster.primary.query(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'postgres.js'",
    );
    await until("the loss to be told", () => lost.length > 0);
    // The server's own words, which postgres.js keeps to itself.
    expect(lost[0]).toMatchObject({ code: "57P01", severity: "FATAL" });
    expect(relay.links).toBe(1);
    await db.query("SELECT 2 AS once");
    expect([relay.links, relay.count("once")]).toEqual([2, 1]);
  });
});

describe("what postgres.js answers", () => {
  it("keeps its types, and its own of the configuration", async () => {
    const bigint = { to: 20, from: [20], serialize: String, parse: (text: string) => BigInt(text) };
    const { db } = open({}, { types: { bigint } });
    const { rows: found } = await db.query(
      "SELECT 5::bigint AS big, $1::jsonb AS json, $2::timestamptz AS at, ARRAY[1, 2] AS list, $3::int[] AS more, $4::bytea AS bytes",
      [{ a: [1] }, new Date(0), [3, 4], Buffer.from([1, 2])],
    );
    expect(found[0]).toEqual({
      big: 5n,
      json: { a: [1] },
      at: new Date(0),
      list: [1, 2],
      more: [3, 4],
      bytes: Buffer.from([1, 2]),
    });
  });

  it("tells the statements of one text apart", async () => {
    const { db } = open();
    const results = (await db.query(
      "INSERT INTO notes VALUES (1), (2); SELECT 1 AS a; UPDATE notes SET id = 3; SELECT 2 AS b, 3 AS c; COMMIT",
    )) as unknown as { rows: unknown[]; command: string; rowCount: number | null }[];
    expect(results.map(({ rows: each, command, rowCount }) => [command, rowCount, each])).toEqual([
      ["INSERT", 2, []],
      ["SELECT", 1, [{ a: 1 }]],
      ["UPDATE", 2, []],
      ["SELECT", 1, [{ b: 2, c: 3 }]],
      ["COMMIT", null, []],
    ]);
    const first = (await db.query("SELECT 1 AS a; DELETE FROM notes WHERE false")) as unknown as { rows: unknown[] }[];
    expect(first.map(({ rows: each }) => each)).toEqual([[{ a: 1 }], []]);
  });

  it("is the driver's own in a session: its tagged texts run in the session's turn", async () => {
    const { db } = open();
    const held = await db.connect();
    const sql = held.driver as ReturnType<typeof postgres>;
    await held.query("BEGIN");
    await sql`INSERT INTO notes ${sql({ id: 9 })}`;
    expect((await held.query("SELECT id FROM notes")).rows).toEqual([{ id: 9 }]);
    held.release();
    // What was left open is rolled back.
    expect((await db.query("SELECT id FROM notes")).rows).toEqual([]);
  });

  it("brings notices and notifications", async () => {
    const { pool, db } = open({ max: 2 });
    const notices: unknown[] = [];
    pool.events.on("connection:notice", ({ notice }) => notices.push(notice));
    await db.query("DO $$ BEGIN RAISE NOTICE 'hear'; END $$");
    expect(notices).toMatchObject([{ message: "hear" }]);
    const heard: unknown[] = [];
    const subscription = await db.listen("news", ({ payload }) => heard.push(payload));
    await db.notify("news", "one");
    await until("it to be heard", () => heard.length > 0);
    expect(heard).toEqual(["one"]);
    await subscription.unlisten();
  });
});

describe("connecting", () => {
  it("fails with what the server or the system says, before anything is sent", async () => {
    const cases: [PostgresJsConfig, object][] = [
      [{ database: "nowhere" }, { code: "3D000" }],
      [{ port: 1 }, { code: "ECONNREFUSED" }],
      [{ ssl: "require" }, { code: "SSL_NOT_SUPPORTED" }],
    ];
    for (const [more, expected] of cases) {
      const error = await errorOf(open({}, more).db.query("INSERT INTO notes VALUES (1)"));
      expect(error).toMatchObject(expected);
      expect(failureOf(error)).toMatchObject({ phase: "connect", effect: "none" });
    }
    expect(await open({}, { ssl: "prefer" }).db.query("SELECT 1")).toMatchObject({ rowCount: 1 });
  });

  it("has a limit in time, and leaves no link behind", async () => {
    const links = new Set<{ destroyed: boolean }>();
    const silent = createServer((socket) => links.add(socket.on("error", () => undefined).resume()));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const error = await errorOf(open({ connectTimeoutMs: 100 }, { port }).db.query("SELECT 1"));
    expect(failureOf(error)).toMatchObject({ phase: "connect", effect: "none" });
    await until("the links to be gone", () => [...links].every((socket) => socket.destroyed));
    silent.close();
  });

  it("is refused for what leads to several servers, or to none", () => {
    for (const wrong of [
      "mysql://x/y",
      "",
      5,
      { host: "a,b" },
      { target_session_attrs: "primary" },
      { max: 0 },
      { port: 70_000 },
    ])
      expect(() => fromPostgresJs(wrong as never)).toThrow(expect.objectContaining({ code: "ERR_BREAKWATER_OPTION" }));
    expect(() => fromPostgresJs(config(), { prepare: "sometimes" as never })).toThrow("prepare");
    expect(() => fromPostgresJs(config(), { min: 3, max: 2 })).toThrow("min");
  });
});

describe("a link that is lost in the moment it is there", () => {
  it.each([false, true])(
    "is another failed attempt to connect, and holds up nobody (with an error: %s)",
    async (withError) => {
      let attempts = 0;
      const socket = async (): Promise<Socket> => {
        const link = connect(relay.port, "127.0.0.1");
        await once(link, "connect");
        attempts += 1;
        // The driver comes to it a moment later, and would wait for ever for what it has missed.
        if (attempts <= 3)
          setImmediate(() =>
            link.destroy(withError ? Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) : undefined),
          );
        return link;
      };
      const { pool, db } = open({}, { socket });
      for (let lost = 1; lost <= 3; lost += 1) {
        const failure = failureOf(await errorOf(db.query("SELECT 1", [], { timeoutMs: 10_000 })));
        expect(failure).toMatchObject({ phase: "connect", effect: "none", blames: "node" });
        expect(attempts).toBe(lost);
      }
      expect((await db.query("SELECT 1 AS a")).rows).toEqual([{ a: 1 }]);
      expect(pool.stats()).toMatchObject({ total: 1, connecting: 0 });
    },
  );
});
