/**
 * What drivers can do besides single statements, through one face: the same tests for each that can.
 */
import { type Cluster, startCluster } from "@breakwater/chaos";
import { database, type Database, failedIndex, failureOf, type Pool } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { fromPglite } from "@breakwater/pglite";
import { fromPostgresJs } from "@breakwater/postgres-js";
import { PGlite } from "@electric-sql/pglite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Bouncer, bouncerBinaries, startBouncer } from "../failure-table/bouncer.ts";
import { all, errorOf, until } from "../support/wait.ts";

interface Subject {
  /** A pool of two connections. */
  readonly pool: () => Pool;
  readonly query: (text: string) => Promise<readonly Record<string, unknown>[]>;
  /** Ends every connection that runs something now. */
  readonly kill?: () => Promise<void>;
  /** How many rows are many: fewer where each is a statement. @default 6_000, which is more than one part */
  readonly many?: number;
  /** Why it hears no notifications. */
  readonly deaf?: string;
}

const KILL = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name = 'abilities' AND state <> 'idle' AND pid <> pg_backend_pid()`;

function abilities(name: string, of: () => Subject): void {
  describe(`the abilities of ${name}`, () => {
    let pool: Pool;
    let db: Database;
    const kept = async (): Promise<number> => Number((await of().query("SELECT count(*) AS n FROM kept"))[0]?.["n"]);
    const text = async (pieces: AsyncIterable<Uint8Array>): Promise<string> =>
      Buffer.concat(await all(pieces)).toString();

    beforeAll(async () => {
      await of().query("DROP TABLE IF EXISTS kept, kinds");
      await of().query("CREATE TABLE kept (id int PRIMARY KEY, note text)");
      await of().query(
        "CREATE TABLE kinds (a text, b timestamptz, c date, d bytea, e text[], f jsonb, g bool, h int8, i float8)",
      );
    });
    beforeEach(async () => {
      await of().query("TRUNCATE kept, kinds");
      pool = of().pool();
      db = database(pool);
    });
    afterEach(async () => {
      await until("connections to be back", () => pool.stats().active === 0 && pool.stats().waiting === 0);
      await pool.close({ drainMs: 0 });
    });

    it("runs a batch in order, each statement with its own result", async () => {
      const [one, two, three, none] = await db.batch([
        { text: "INSERT INTO kept VALUES ($1, $2), ($3, NULL)", values: [1, "a", 2] },
        { text: "SELECT id, note FROM kept ORDER BY id" },
        { text: "SELECT $1::int + 1, $2::text", values: [1, "x"], rowMode: "array" },
        { text: "" },
      ]);
      expect(one).toMatchObject({ rowCount: 2, command: "INSERT", rows: [] });
      expect([...(two?.rows ?? [])]).toEqual([
        { id: 1, note: "a" },
        { id: 2, note: null },
      ]);
      expect(two?.fields.map((field) => field.name)).toEqual(["id", "note"]);
      expect([...(three?.rows ?? [])]).toEqual([[2, "x"]]);
      expect(none?.rows).toEqual([]);
    });

    it("keeps nothing of a batch that fails, names the statement, and goes on with the connection", async () => {
      const insert = (id: unknown): { text: string; values: unknown[] } => ({
        text: "INSERT INTO kept VALUES ($1)",
        values: [id],
      });
      const held = await db.connect();
      for (const bad of [
        [insert(1), insert(2), insert(1), insert(3)],
        [insert(1), { text: "SELECT 1/0" }],
      ]) {
        const error = await errorOf(held.batch(bad));
        expect(error).toMatchObject({ code: bad.length === 4 ? "23505" : "22012" });
        expect(failedIndex(error)).toBe(bad.length === 4 ? 2 : 1);
        expect(await kept()).toBe(0);
      }
      const unsendable = await errorOf(
        held.batch([insert(1), { text: "INSERT INTO kept VALUES (2, $1)", values: [REFUSING] }]),
      );
      expect(failedIndex(unsendable)).toBe(1);
      expect(await kept()).toBe(0);
      expect((await held.query("SELECT 7 AS seven")).rows).toEqual([{ seven: 7 }]);
      held.release();
    });

    it("leaves a transaction failed after a batch that failed in it, and a part of it otherwise", async () => {
      await db.transaction(async (tx) => {
        await tx.query("INSERT INTO kept VALUES (1)");
        await tx.batch([
          { text: "INSERT INTO kept VALUES (2)" },
          { text: "INSERT INTO kept VALUES ($1)", values: [3] },
        ]);
      });
      expect(await kept()).toBe(3);
      const failed = db.transaction(async (tx) => {
        await tx.query("INSERT INTO kept VALUES (4)");
        await tx.batch([{ text: "INSERT INTO kept VALUES ($1)", values: [1] }]);
      });
      expect(await errorOf(failed)).toMatchObject({ code: "23505" });
      expect(await kept()).toBe(3);
    });

    it("refuses COPY in a batch, wherever it stands", async () => {
      for (const at of [0, 1, 2]) {
        const statements = [{ text: "SELECT 1" }, { text: "SELECT $1::int", values: [2] }];
        statements.splice(at, 0, { text: "COPY kept FROM STDIN" });
        const error = await errorOf(db.batch(statements));
        expect(error).toBeInstanceOf(Error);
        expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
      }
    });

    it("runs one statement with many rows, of which some have nothing, and counts what it changed", async () => {
      const { many = 6_000 } = of();
      const rows = Array.from({ length: many }, (_, id) => [id, id % 3 === 0 ? null : `n${id}`]);
      expect(await db.executeMany("INSERT INTO kept VALUES ($1, $2)", rows)).toBe(many);
      expect(await kept()).toBe(many);
      const update = "UPDATE kept SET note = $2 WHERE id >= $1";
      expect(
        await db.executeMany(update, [
          [many - 2, "x"],
          [many + 1, "y"],
          [many - 1, "z"],
        ]),
      ).toBe(3);
    });

    it("keeps nothing of many rows of which one fails, and names it", async () => {
      const { many = 6_000 } = of();
      const insert = "INSERT INTO kept VALUES ($1, $2)";
      const rows = (bad: unknown, at: number): unknown[][] =>
        Array.from({ length: many }, (_, id) => [id === at ? bad : id, "x"]);
      for (const at of [0, 4, many - 500]) {
        expect(failedIndex(await errorOf(db.executeMany(insert, rows("no number", at))))).toBe(at);
        expect(failedIndex(await errorOf(db.executeMany(insert, rows(REFUSING, at))))).toBe(at);
        expect(await kept()).toBe(0);
      }
    });

    it("sends and reads values in a batch and over a cursor as in a statement", async () => {
      const at = new Date(1_700_000_000_123);
      const row = [
        "a\tb\\c\n'\"",
        at,
        at,
        Buffer.from([0, 92, 255]),
        ['x"y', "NULL", null, "a,b\\"],
        { a: ["\n"] },
        true,
        9n,
        1.5,
      ];
      const insert = `INSERT INTO kinds VALUES (${row.map((_, index) => `$${index + 1}`).join(", ")})`;
      await db.query(insert, row);
      await db.executeMany(insert, [row.map(() => null), row, row]);
      await db.batch([{ text: insert, values: row }]);
      const sent = (await db.query("SELECT * FROM kinds WHERE a = $1", [row[0]])).rows;
      expect(sent).toHaveLength(4);
      for (const other of sent) expect(other).toEqual(sent[0]);
      const [batched] = await db.batch([{ text: "SELECT * FROM kinds WHERE a = $1", values: [row[0]] }]);
      expect([...(batched?.rows ?? [])]).toEqual([...sent]);
      expect(await all(db.stream("SELECT * FROM kinds WHERE a = $1", [row[0]], { batchSize: 3 }))).toEqual([...sent]);
    });

    it("reads rows a part at a time, and gives the connection back when the loop is left", async () => {
      for (const batchSize of [1, 7, 10, 11]) {
        const rows = await all(
          db.stream<{ n: number }>("SELECT generate_series(1, $1::int) AS n", [10], { batchSize }),
        );
        expect(rows.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      }
      expect(await all(db.stream("SELECT 1 WHERE false"))).toEqual([]);
      expect(await all(db.stream({ text: "SELECT 1, 2", rowMode: "array" }))).toEqual([[1, 2]]);
      for (let round = 0; round < 5; round += 1) {
        for await (const row of db.stream<{ n: number }>("SELECT generate_series(1, 20000) AS n", { batchSize: 10 })) {
          if (row.n === round) break;
        }
      }
      const error = await errorOf(
        all(db.stream("SELECT 1 / (50 - n) FROM generate_series(1, 100) AS n", { batchSize: 10 })),
      );
      expect(error).toMatchObject({ code: "22012" });
      expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    });

    it("reads beside the other statements of its transaction, and beside another reading", async () => {
      const seen = await db.transaction(async (tx) => {
        const found: number[] = [];
        const other = tx.stream<{ m: number }>("SELECT generate_series(1, 100) AS m", { batchSize: 3 });
        for await (const { n } of tx.stream<{ n: number }>("SELECT generate_series(1, 20) AS n", { batchSize: 4 })) {
          await tx.query("INSERT INTO kept VALUES ($1)", [n]);
          const next = await other.next();
          if (next.done !== true) found.push(next.value.m);
        }
        await other.return();
        return found;
      });
      expect(seen).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
      expect(await kept()).toBe(20);
    });

    it("reads what a statement writes and returns", async () => {
      const insert = "INSERT INTO kept SELECT generate_series(1, $1::int) RETURNING id";
      expect(await all(db.stream(insert, [25], { batchSize: 10 }))).toHaveLength(25);
      expect(await kept()).toBe(25);
    });

    it("copies in and out", async () => {
      expect(await db.copyFrom({ table: "kept" }, ["1\ta", "\n2\t\\N\n"])).toBe(2);
      expect(await text(db.copyTo({ table: "kept" }))).toBe("1\ta\n2\t\\N\n");
      expect(await db.copyFrom("COPY kept (id) FROM STDIN", [])).toBe(0);
      const lines = function* (): Generator<string> {
        for (let id = 10; id < 20_010; id += 1) yield `${id}\t${"x".repeat(40)}\n`;
      };
      expect(await db.copyFrom({ table: "kept" }, lines())).toBe(20_000);
      let bytes = 0;
      for await (const piece of db.copyTo("COPY kept TO STDOUT")) bytes += piece.byteLength;
      expect(bytes).toBeGreaterThan(20_000 * 45);
      const binary = await all(db.copyTo({ table: "kept", format: "binary" }));
      await db.execute("DELETE FROM kept");
      expect(await db.copyFrom({ table: "kept", format: "binary" }, binary)).toBe(20_002);
    });

    it("keeps nothing of a copy that fails, whoever fails, and goes on with the connection", async () => {
      const held = await db.connect();
      expect(await errorOf(held.copyFrom({ table: "kept" }, ["1\ta\n", "no number\tb\n"]))).toMatchObject({
        code: "22P02",
      });
      expect(await errorOf(held.copyFrom({ table: "kept" }, ["1\ta\n1\tb\n"]))).toMatchObject({ code: "23505" });
      expect(await errorOf(held.copyFrom({ table: "none" }, ["1\n"]))).toMatchObject({ code: "42P01" });
      const planted = new Error("planted");
      const failing = async function* (): AsyncGenerator<string> {
        yield "1\ta\n";
        await Promise.resolve();
        throw planted;
      };
      expect(await errorOf(held.copyFrom({ table: "kept" }, failing()))).toBe(planted);
      expect(await errorOf(all(held.copyTo("COPY (SELECT 1/0) TO STDOUT")))).toMatchObject({ code: "22012" });
      expect(await errorOf(held.copyFrom("COPY kept TO STDOUT", ["1\n"]))).toBeInstanceOf(Error);
      expect(await errorOf(all(held.copyTo("COPY kept FROM STDIN")))).toBeInstanceOf(Error);
      expect((await held.query("SELECT $1::int AS one", [1])).rows).toEqual([{ one: 1 }]);
      held.release();
      expect(await kept()).toBe(0);
      for (let round = 0; round < 3; round += 1) {
        for await (const piece of db.copyTo("COPY (SELECT generate_series(1, 200000)) TO STDOUT")) {
          expect(piece.byteLength).toBeGreaterThan(0);
          break;
        }
      }
      await until("connections to be back", () => pool.stats().active === 0);
    });

    it("hears notifications, also between the parts of something else", async ({ skip }) => {
      const { deaf } = of();
      skip(deaf !== undefined, deaf);
      const heard: string[] = [];
      const listening = await db.listen("news", ({ payload }) => void heard.push(payload));
      await db.query("SELECT pg_notify('news', 'one')");
      await db.batch([{ text: "SELECT pg_notify('news', 'two')" }]);
      await until("both to be heard", () => heard.length === 2);
      expect(heard).toEqual(["one", "two"]);
      await listening.unlisten();
    });

    it("ends with an error when its connection dies on the way", async ({ skip }) => {
      const { kill } = of();
      skip(kill === undefined, "there is no link to lose");
      const sleeping = "SELECT pg_sleep(30), $1::int";
      const kinds: readonly (() => Promise<unknown>)[] = [
        () => db.batch([{ text: "INSERT INTO kept VALUES (1)" }, { text: sleeping, values: [1] }]),
        () => db.executeMany(sleeping, [[1], [2]]),
        () => all(db.stream(sleeping, [1])),
        () => all(db.copyTo("COPY (SELECT pg_sleep(30)) TO STDOUT")),
        () =>
          db.copyFrom(
            { table: "kept" },
            (async function* (): AsyncGenerator<string> {
              yield "5\tx\n";
              await kill?.();
              for (let id = 6; ; id += 1) yield `${id}\t${"x".repeat(1_000)}\n`;
            })(),
          ),
      ];
      for (const [at, run] of kinds.entries()) {
        const error = errorOf(run());
        if (at < 4) {
          await until("it to run", async () => {
            const [found] = await of().query(
              "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'abilities' AND state = 'active' AND wait_event = 'PgSleep'",
            );
            return Number(found?.["n"]) > 0;
          });
          await kill?.();
        }
        expect(failureOf(await error).connection).toBe("destroy");
        expect(await kept()).toBe(0);
        expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
      }
    });
  });
}

const refuse = (): never => {
  throw new Error("planted: this value cannot be sent");
};
/** Whatever a driver makes a text of a value with, it comes upon this. */
const REFUSING: unknown = {
  toPostgres: refuse,
  toSqlString: refuse,
  toJSON: refuse,
  toString: refuse,
  valueOf: refuse,
};

describe("on PostgreSQL", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
  });
  afterAll(() => cluster.close());
  const target = () => ({
    host: "127.0.0.1",
    port: cluster.primary.port,
    user: "postgres",
    database: "postgres",
    max: 2,
  });
  const rest = {
    query: (text: string) => cluster.primary.query(text),
    kill: async () => void (await cluster.primary.query(KILL)),
  };
  abilities("pg", () => ({ pool: () => fromPg({ ...target(), application_name: "abilities" }), ...rest }));
  const connection = { application_name: "abilities" };
  abilities("postgres.js", () => ({ pool: () => fromPostgresJs({ ...target(), connection }), ...rest }));
  abilities("postgres.js that prepares nothing", () => ({
    pool: () => fromPostgresJs({ ...target(), connection, prepare: false, fetch_types: true }),
    ...rest,
  }));
});

const binary = bouncerBinaries[0];
const named =
  binary === undefined ? " (skipped: there is none here; BREAKWATER_PGBOUNCER names it)" : ` ${binary.version}`;
describe.skipIf(binary === undefined)(`through PgBouncer${named}`, () => {
  let cluster: Cluster;
  let bouncer: Bouncer;
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    bouncer = await startBouncer(cluster.primary, { default_pool_size: 3 }, undefined, binary?.file);
  });
  afterAll(async () => {
    bouncer.stop();
    await cluster.close();
  });
  const target = () => ({ host: "127.0.0.1", port: bouncer.port, user: "postgres", database: "postgres" });
  const rest = {
    query: (text: string) => cluster.primary.query(text),
    many: 600,
    deaf: "a session behind a pooler in transaction mode is shared",
  };
  abilities("pg", () => ({ pool: () => fromPg(target(), { max: 2, pooler: "transaction" }), ...rest }));
  abilities("postgres.js", () => ({
    pool: () => fromPostgresJs(target(), { max: 2, pooler: "transaction" }),
    ...rest,
  }));
});

describe("in the process", () => {
  let pglite: PGlite;
  beforeAll(async () => {
    pglite = await PGlite.create();
  });
  afterAll(() => pglite.close());
  abilities("PGlite", () => ({
    many: 600,
    pool: () => fromPglite(pglite, { closePglite: false, max: 2 }),
    query: async (text) => (await pglite.exec(text)).at(-1)?.rows ?? [],
  }));
});
