import { type Cluster, startCluster } from "@breakwater/chaos";
import { database, failedIndex, OptionError, RowCountError, sql, UsageError } from "@breakwater/core";
import { asPgPool, fromPg } from "@breakwater/pg";
import { type Database } from "breakwater";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeStacks, noConnectionLeft, stackOn, through } from "../support/database.ts";
import { all, errorOf } from "../support/wait.ts";

describe("convenience", () => {
  let cluster: Cluster;
  let db: Database;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1 });
    await cluster.primary.query("CREATE TABLE book (id int PRIMARY KEY, title text, seen timestamptz, data bytea)");
    db = stackOn(cluster);
  });

  afterAll(async () => {
    await closeStacks();
    await noConnectionLeft(cluster);
    await cluster.close();
  });

  describe("single statements", () => {
    it("come as rows, first, one, value and a count, on every face", async () => {
      await using held = await hold(db);
      const check = async (face: Pick<Database, "rows" | "first" | "one" | "value" | "execute">): Promise<void> => {
        expect(await face.rows("SELECT generate_series(1, $1::int) AS n", [2])).toEqual([{ n: 1 }, { n: 2 }]);
        expect(await face.rows("SELECT 1 WHERE false")).toEqual([]);
        expect(await face.first("SELECT generate_series(1, 2) AS n")).toEqual({ n: 1 });
        expect(await face.first("SELECT 1 WHERE false")).toBeUndefined();
        expect(await face.one(sql`SELECT ${"a"}::text AS a`)).toEqual({ a: "a" });
        await expect(face.one("SELECT 1 WHERE false")).rejects.toMatchObject({
          code: "ERR_BREAKWATER_ROW_COUNT",
          rows: 0,
        });
        await expect(face.one("SELECT generate_series(1, 2)")).rejects.toBeInstanceOf(RowCountError);
        expect(await face.value("SELECT 1 AS a, 2 AS a")).toBe(1);
        expect(await face.value({ text: "SELECT $1::int", values: [7] })).toBe(7);
        expect(await face.value("SELECT NULL")).toBeNull();
        expect(await face.value("SELECT 1 WHERE false")).toBeUndefined();
        await expect(face.value("SELECT generate_series(1, 3)")).rejects.toMatchObject({ rows: 3 });
        expect(await face.execute("INSERT INTO book (id) SELECT generate_series(1, 3)")).toBe(3);
        expect(await face.execute("DELETE FROM book")).toBe(3);
        await expect(face.rows(undefined as never)).rejects.toBeInstanceOf(UsageError);
        await expect(face.value(undefined as never)).rejects.toBeInstanceOf(UsageError);
      };
      await check(db);
      await check(db.session());
      await check(held.connection);
      await db.transaction(check as never).catch((error: unknown) => expect(error).toMatchObject({ code: "25P02" }));
    });

    it("take options where query does", async () => {
      expect(await db.value("SELECT 1", { access: "read", label: "one" })).toBe(1);
      expect(await db.rows("SELECT $1::int AS n", [2], { timeoutMs: 5_000 })).toEqual([{ n: 2 }]);
      await expect(db.first("SELECT 1", { acces: "read" } as never)).rejects.toBeInstanceOf(OptionError);
    });

    it("may be made by a library whose texts are getters of a class", async () => {
      class Made {
        readonly strings = ["SELECT ", "::int AS n, ", "::int AS n"];
        readonly #given: readonly unknown[];
        constructor(...given: readonly unknown[]) {
          this.#given = given;
        }
        get text(): string {
          return this.strings.reduce((text, part, index) => `${text}$${index}${part}`);
        }
        get values(): readonly unknown[] {
          return this.#given;
        }
      }
      await using held = await hold(db);
      for (const face of [db, held.connection]) {
        expect((await face.query(new Made(1, 2))).rows).toEqual([{ n: 2 }]);
        expect((await face.query(new Made(1, 2), [3, 4])).rows).toEqual([{ n: 4 }]);
        expect(await face.value(new Made(1, 2))).toBe(1);
        expect((await face.batch([new Made(1, 2), new Made(3, 4)])).map(({ rows }) => rows[0])).toEqual([
          { n: 2 },
          { n: 4 },
        ]);
        expect(await all(face.stream(new Made(1, 2)))).toEqual([{ n: 2 }]);
      }
    });

    it("are templates to asPgPool too", async () => {
      const pool = asPgPool(db);
      const { rows } = await pool.query(sql`SELECT ${1}::int AS a, ${sql.identifier("b")} FROM (SELECT ${"x"} AS b) t`);
      expect(rows).toEqual([{ a: 1, b: "x" }]);
    });
  });

  describe("sql", () => {
    it("never puts a value into the text, whatever it holds", async () => {
      const values = ["'; DROP TABLE book; --", "$1", "\\", "a\nb", '"', "{1,2}", "ünï"];
      for (const value of values) {
        const statement = sql`SELECT ${value}::text AS v`;
        expect(statement.text).toBe("SELECT $1::text AS v");
        expect(await db.value(statement)).toBe(value);
      }
      const odd = 'a "quoted" name; --';
      expect(await db.rows(sql`SELECT 1 AS ${sql.identifier(odd)}`)).toEqual([{ [odd]: 1 }]);
    });

    it("carries dates, bytes, lists, nothing and large values", async () => {
      const seen = new Date(1_700_000_000_123);
      const data = Buffer.from([0, 1, 255]);
      const large = "x".repeat(5_000_000);
      const row = await db.one(
        sql`SELECT ${seen}::timestamptz AS seen, ${data}::bytea AS data, ${[1, 2]}::int[] AS list, ${null}::int AS nil,
          ${undefined}::int AS none, length(${large}::text) AS length, 2 = ANY(${[1, 2]}) AS has`,
      );
      expect(row).toEqual({ seen, data, list: [1, 2], nil: null, none: null, length: 5_000_000, has: true });
    });
  });

  describe("batch", () => {
    it("runs statements in order, with their own results", async () => {
      const results = await db.batch([
        "INSERT INTO book (id, title) VALUES (1, 'a')",
        sql`UPDATE book SET title = ${"b"} WHERE id = ${1} RETURNING title`,
        { text: "SELECT id, title FROM book", rowMode: "array" },
        { text: "DELETE FROM book WHERE id = $1", values: [1], name: "delete one" },
        "SELECT 1 WHERE false",
      ]);
      expect(results.map(({ command, rowCount, rows }) => [command, rowCount, rows])).toEqual([
        ["INSERT", 1, []],
        ["UPDATE", 1, [{ title: "b" }]],
        ["SELECT", 1, [[1, "b"]]],
        ["DELETE", 1, []],
        ["SELECT", 0, []],
      ]);
    });

    it.each(["preset", "bare pool", "held", "transaction"])("is all or nothing: %s", async (where) => {
      const statements = [
        "INSERT INTO book (id) VALUES (10)",
        "INSERT INTO book (id) VALUES (11)",
        "SELECT 1 / 0",
        "INSERT INTO book (id) VALUES (12)",
      ];
      const bare = database(fromPg(through(cluster.primary)));
      await using held = await hold(db);
      const batch = {
        preset: () => db.batch(statements),
        "bare pool": () => bare.batch(statements),
        held: () => held.connection.batch(statements),
        transaction: () => db.transaction((transaction) => transaction.batch(statements)),
      }[where];
      const error: unknown = await batch?.().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "22012" });
      expect(failedIndex(error)).toBe(2);
      expect(await db.value("SELECT count(*)::int FROM book", { consistency: "strong" })).toBe(0);
      expect(await held.connection.value("SELECT 1")).toBe(1);
      await bare.close();
    });

    it("says which statement has values that cannot be sent, and sends nothing", async () => {
      const bad = { toPostgres: () => raise(new Error("cannot be sent")) };
      const bare = database(fromPg(through(cluster.primary)));
      const error: unknown = await bare
        .batch(["INSERT INTO book (id) VALUES (20)", { text: "SELECT $1", values: [bad] }])
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ message: "cannot be sent" });
      expect(failedIndex(error)).toBe(1);
      expect(await bare.batch(["SELECT count(*)::int AS n FROM book"])).toMatchObject([{ rows: [{ n: 0 }] }]);
      await bare.close();
    });

    it("takes an empty list, and refuses what is no list of statements", async () => {
      expect(await db.batch([])).toEqual([]);
      await expect(db.batch("SELECT 1" as never)).rejects.toBeInstanceOf(UsageError);
      await expect(db.batch([undefined as never])).rejects.toBeInstanceOf(UsageError);
      await expect(db.batch(["SELECT 1", "COMMIT"])).rejects.toBeInstanceOf(UsageError);
      await expect(db.batch([], { acces: "read" } as never)).rejects.toBeInstanceOf(OptionError);
    });

    it("has no rows for COPY, and says so at once, wherever it stands", async () => {
      const [copy, one] = ["COPY book FROM STDIN", "SELECT 1"];
      await using held = await hold(db);
      for (const face of [db, held.connection]) {
        for (const [statements, at] of [
          [[one, copy], 1],
          [[copy], 0],
        ] as const) {
          const error = await errorOf(face.batch(statements));
          expect([error.code, failedIndex(error)]).toEqual(["57014", at]);
        }
        await expect(face.executeMany(copy, [[]])).rejects.toMatchObject({ code: "57014" });
        await expect(all(face.stream(copy))).rejects.toMatchObject({ code: "57014" });
        for (let n = 0; n < 3; n += 1) expect(await face.value("SELECT $1::int", [n])).toBe(n);
      }
      // A server that is sent something else while it waits for rows ends the connection.
      await expect(db.batch([copy, one])).rejects.toBeInstanceOf(Error);
      await expect(db.executeMany(copy, [[], []])).rejects.toBeInstanceOf(Error);
      for (let n = 0; n < 3; n += 1) expect(await db.value("SELECT $1::int", [n])).toBe(n);
    });

    it("refuses a statement that begins or ends a transaction", async () => {
      const bare = database(fromPg(through(cluster.primary)));
      await expect(bare.batch(["BEGIN", "INSERT INTO book (id) VALUES (30)"])).rejects.toBeInstanceOf(UsageError);
      for (const face of [bare, db]) {
        const batch = face.batch(["INSERT INTO book (id) VALUES (30)", "ROLLBACK", "SELECT 1"]);
        await expect(batch).rejects.toBeInstanceOf(UsageError);
      }
      await db.transaction((transaction) =>
        transaction.batch(["SAVEPOINT a", "INSERT INTO book (id) VALUES (30)", "ROLLBACK TO SAVEPOINT a"]),
      );
      expect(await bare.value("SELECT count(*)::int FROM book")).toBe(0);
      await bare.close();
    });

    it("reads on a replica when it only reads, and its writes are seen by later reads", async () => {
      const [first] = await db.batch<{ r: number }>(["SELECT inet_server_port() AS r", "SELECT 1"], {
        access: "read",
        consistency: "eventual",
      });
      expect(first?.rows).toEqual([{ r: cluster.replicas[0]?.directPort }]);
      for (let id = 100; id < 130; id += 1) {
        await db.batch([sql`INSERT INTO book (id) VALUES (${id})`, "SELECT 1"]);
        expect(await db.value("SELECT count(*)::int FROM book WHERE id = $1", [id])).toBe(1);
      }
      await db.execute("DELETE FROM book");
    });
  });

  describe("executeMany", () => {
    it("runs one statement with rows of every kind of source", async () => {
      const rows = [
        [1, "a", new Date(0), Buffer.from("x")],
        [2, null, undefined, null],
      ];
      const text = "INSERT INTO book (id, title, seen, data) VALUES ($1, $2, $3, $4)";
      const sources = [rows, new Set(rows), later(rows), () => rows, () => later(rows)];
      for (const source of sources) {
        expect(await db.executeMany(text, source)).toBe(2);
        expect(await db.rows("SELECT id, title, data FROM book ORDER BY id", { access: "write" })).toEqual([
          { id: 1, title: "a", data: Buffer.from("x") },
          { id: 2, title: null, data: null },
        ]);
        await db.execute("DELETE FROM book");
      }
      expect(await db.executeMany(text, [])).toBe(0);
    });

    it("does 100,000 rows, and names the one that fails, and keeps none of them", async () => {
      const rows = function* (bad = -1): Generator<unknown[]> {
        for (let id = 0; id < 100_000; id += 1) yield [id === bad ? "none" : id];
      };
      const text = "INSERT INTO book (id) VALUES ($1)";
      const error: unknown = await db.executeMany(text, rows(54_321)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "22P02" });
      expect(failedIndex(error)).toBe(54_321);
      expect(await db.value("SELECT count(*)::int FROM book")).toBe(0);
      expect(await db.executeMany(text, rows())).toBe(100_000);
      expect(await db.execute("DELETE FROM book")).toBe(100_000);
    });

    it("keeps nothing when the source fails, and closes a source that it leaves", async () => {
      let closed = 0;
      const failing = async function* (end: () => unknown): AsyncGenerator<unknown[]> {
        try {
          for (let id = 0; id < 5_000; id += 1) yield [id];
          end();
        } finally {
          closed += 1;
        }
      };
      const planted = new Error("planted");
      const text = "INSERT INTO book (id) VALUES ($1)";
      await expect(
        db.executeMany(
          text,
          failing(() => raise(planted)),
        ),
      ).rejects.toBe(planted);
      await expect(
        db.executeMany(
          "INSERT INTO none VALUES ($1)",
          failing(() => undefined),
        ),
      ).rejects.toMatchObject({
        code: "42P01",
      });
      await expect(db.executeMany(text, [[1], "no" as never])).rejects.toThrow("row 1 ");
      await expect(db.executeMany(text, 7 as never)).rejects.toBeInstanceOf(UsageError);
      expect(closed).toBe(2);
      expect(await db.value("SELECT count(*)::int FROM book")).toBe(0);
    });

    it("refuses a statement that commits", async () => {
      await using held = await hold(db);
      for (const face of [db, held.connection])
        await expect(face.executeMany("COMMIT", [[]])).rejects.toBeInstanceOf(UsageError);
    });

    it("is a transaction of its own on a held connection, and a part of an open one", async () => {
      await using held = await hold(db);
      const text = "INSERT INTO book (id) VALUES ($1)";
      await expect(held.connection.executeMany(text, [[1], [1]])).rejects.toMatchObject({ code: "23505" });
      expect(await held.connection.value("SELECT count(*)::int FROM book")).toBe(0);
      await db.transaction(async (transaction) => {
        expect(await transaction.executeMany(text, [[1], [2]])).toBe(2);
        await transaction
          .transaction((part) => part.executeMany(text, [[3], [3]]))
          .catch((error: unknown) => expect(failedIndex(error)).toBe(1));
        expect(await transaction.value("SELECT count(*)::int FROM book")).toBe(2);
      });
      await db.execute("DELETE FROM book");
    });
  });

  it("runs again what may be, with the rows from the start, and never what cannot be read twice", async () => {
    const text = "INSERT INTO book (id) VALUES ($1)";
    const kill = async function* (times: { left: number }): AsyncGenerator<unknown[]> {
      for (let id = 0; id < 12_000; id += 1) {
        if (id === 7_000 && times.left-- > 0) {
          await cluster.primary.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO book%'",
          );
        }
        yield [id];
      }
    };
    const twice = { left: 1 };
    expect(await db.executeMany(text, () => kill(twice))).toBe(12_000);
    expect(await db.execute("DELETE FROM book")).toBe(12_000);
    const error: unknown = await db.executeMany(text, kill({ left: 1 })).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(await db.value("SELECT count(*)::int FROM book")).toBe(0);
  });
});

async function hold(db: Database) {
  const connection = await db.connect();
  return { connection, [Symbol.asyncDispose]: async () => connection.release() };
}

function raise(error: Error): never {
  throw error;
}

async function* later<T>(rows: Iterable<T>): AsyncGenerator<T> {
  for (const row of rows) {
    await Promise.resolve();
    yield row;
  }
}
