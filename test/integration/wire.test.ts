/**
 * Statements that go past `pg`'s own queries answer as those do: the same results, errors and notices.
 */
import { type Cluster, startCluster } from "@breakwater/chaos";
import { type Database, database } from "@breakwater/core";
import { fromPg, type FromPgOptions } from "@breakwater/pg";
import pg from "pg";
import { until } from "../support/wait.ts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

/** A text for each kind of built-in type. */
const LITERALS: Readonly<Record<string, readonly string[]>> = {
  bool: ["t", "f"],
  int2: ["-32768", "0"],
  int4: ["-2147483648", "7"],
  int8: ["9223372036854775807"],
  oid: ["4294967295"],
  float4: ["1.5", "NaN", "-Infinity"],
  float8: ["0.1", "1e300", "NaN"],
  numeric: ["123456789012345678901234567890.5", "NaN"],
  money: ["12.34"],
  text: ["", "plain", "é∑𝄞", "a\nb\t'\"\\"],
  varchar: ["x"],
  bpchar: ["x"],
  char: ["c"],
  name: ["n"],
  bytea: ["\\xdeadbeef", "\\x"],
  date: ["2024-02-29", "0044-03-15 BC", "infinity"],
  time: ["12:34:56.789"],
  timetz: ["12:34:56+02"],
  timestamp: ["2024-02-29 12:34:56.789", "-infinity"],
  timestamptz: ["2024-02-29 12:34:56.789+00", "0044-03-15 00:00:00+00 BC"],
  interval: ["1 year 2 mons 3 days 04:05:06.7", "-00:00:01"],
  json: ['{"a": [1, null]}', "null"],
  jsonb: ['{"a": [1, null]}', '"x"'],
  jsonpath: ["$.a"],
  xml: ["<a/>"],
  uuid: ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  inet: ["10.0.0.1/8", "::1"],
  cidr: ["10.0.0.0/8"],
  macaddr: ["08:00:2b:01:02:03"],
  macaddr8: ["08:00:2b:01:02:03:04:05"],
  bit: ["1"],
  varbit: ["10101"],
  tsvector: ["'a':1 'b':2"],
  tsquery: ["'a' & 'b'"],
  point: ["(1,2)"],
  line: ["{1,2,3}"],
  lseg: ["[(1,2),(3,4)]"],
  box: ["(3,4),(1,2)"],
  path: ["((1,2),(3,4))"],
  polygon: ["((1,2),(3,4))"],
  circle: ["<(1,2),3>"],
  int4range: ["[1,10)", "empty"],
  int8range: ["[1,10)"],
  numrange: ["(1.5,)"],
  tsrange: ['["2024-01-01 00:00:00",)'],
  tstzrange: ['["2024-01-01 00:00:00+00",)'],
  daterange: ["[2024-01-01,2024-02-01)"],
  int4multirange: ["{[1,3),[5,7)}"],
  pg_lsn: ["0/16B3748"],
  txid_snapshot: ["10:20:10,14,15"],
  regclass: ["pg_class"],
  regtype: ["integer"],
  tid: ["(0,1)"],
  xid: ["3"],
  cid: ["3"],
  oidvector: ["1 2 3"],
  int2vector: ["1 2 3"],
};

/** Values of all kinds that JavaScript has for parameters. */
const VALUES: readonly unknown[] = [
  null,
  undefined,
  true,
  0,
  -1.5,
  12345678901234567890n,
  "é∑𝄞",
  "x".repeat(40_000),
  Buffer.from([0, 1, 255]),
  new Uint8Array([1, 2, 3]),
  new Date(Date.UTC(2024, 1, 29, 12)),
  [1, 2, [3, null]],
  ['a"b', "c\\d", null],
  [Buffer.from("x")],
  { a: [1, null] },
  { toPostgres: () => "made" },
  { toPostgres: (prepare: (value: unknown) => unknown) => prepare(["nested"]) },
];

/** A temporary table has a number of its own each time. */
function withoutTable(key: string, value: unknown): unknown {
  return key === "tableID" ? undefined : value;
}

describe("a statement over the wire", () => {
  let cluster: Cluster;
  let plain: pg.Client;
  const opened: Database[] = [];

  const open = (options: FromPgOptions = {}): Database => {
    const db = database(fromPg({ connectionString: cluster.primary.connectionString, max: 2 }, options));
    opened.push(db);
    return db;
  };

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    plain = new pg.Client(cluster.primary.connectionString);
    await plain.connect();
    await plain.query(`
      CREATE TABLE things (id int PRIMARY KEY, name text);
      INSERT INTO things SELECT i, 'thing ' || i FROM generate_series(1, 500) AS i;
      CREATE TYPE mood AS ENUM ('good', 'bad');
      CREATE TYPE pair AS (a int, b text);
      CREATE DOMAIN positive AS int CHECK (VALUE > 0);
      CREATE FUNCTION notices(n int) RETURNS int LANGUAGE plpgsql STABLE AS
        $$ BEGIN RAISE NOTICE 'first %', n; RAISE WARNING 'second'; RETURN n; END $$`);
  });

  afterEach(() => Promise.all(opened.splice(0).map((db) => db.close({ drainMs: 0 }))));

  afterAll(async () => {
    await plain.end();
    await cluster.close();
  });

  /** The same statement by `pg`, and four times by the layer: sent whole, prepared, from what was prepared, and shared. */
  async function expectSame(db: Database, statement: { text: string; values?: unknown[]; rowMode?: "array" }) {
    const expected = await plain.query(statement as pg.QueryConfig);
    for (let use = 1; use <= 4; use += 1) {
      const result = (await db.query(statement)) as unknown as pg.QueryResult;
      expect(result).toBeInstanceOf(pg.Result);
      expect(result.rows).toStrictEqual(expected.rows);
      expect(result.fields).toStrictEqual(expected.fields);
      expect([result.command, result.rowCount, result.oid]).toEqual([
        expected.command,
        expected.rowCount,
        expected.oid,
      ]);
    }
  }

  it.each(Object.entries(LITERALS))("gives values of type %s as pg does", async (type, literals) => {
    const db = open();
    for (const literal of literals) {
      const text = `SELECT $1::text::"${type}" AS one, NULL::"${type}" AS none, ARRAY[$1::text::"${type}", NULL] AS many`;
      await expectSame(db, { text, values: [literal] });
      await expectSame(db, { text, values: [literal], rowMode: "array" });
    }
  });

  it("gives enums, records, domains, and columns of the same or a strange name as pg does", async () => {
    const db = open();
    const text = `SELECT 'good'::mood AS mood, ROW(1, 'x,"y')::pair AS pair, 3::positive AS positive, $1::int AS a, 2 AS a,
      4 AS "__proto__", 5 AS "constructor", 7, 8 AS "1", 'x' AS "a""b\\c", '{}'::int[] AS "${"é".repeat(20)}"`;
    await expectSame(db, { text, values: [1] });
    await expectSame(db, { text: "SELECT", values: [] });
    await expectSame(db, { text: "SELECT FROM things WHERE id < 3" });
    await expectSame(db, { text: "SELECT * FROM things WHERE id < $1 ORDER BY id", values: [0] });
    const { rows } = await db.query('SELECT 4 AS "__proto__", $1::int AS one', [1]);
    expect(Object.getPrototypeOf(rows[0])).toBe(Object.prototype);
  });

  it("sends values as pg does", async () => {
    const db = open();
    for (const value of VALUES) {
      const type = value instanceof Uint8Array ? "bytea" : "text";
      await expectSame(db, { text: `SELECT $1::${type} AS value, $2::text AS more`, values: [value, "x"] });
    }
  });

  it("counts what is written as pg does", async () => {
    const db = open();
    const cases = [
      { text: "INSERT INTO things VALUES ($1, 'new'), ($1 + 1, 'new')", values: [1_000] },
      { text: "UPDATE things SET name = 'newer' WHERE id >= $1 RETURNING id", values: [1_000] },
      { text: "DELETE FROM things WHERE id >= $1", values: [1_000] },
    ];
    for (let round = 0; round < 3; round += 1) {
      for (const statement of cases) {
        await plain.query("BEGIN");
        const expected = await plain.query(statement);
        await plain.query("ROLLBACK");
        const { command, rowCount, rows } = await db.query(statement);
        expect([command]).toEqual([expected.command]);
        expect(rowCount).toBe(2);
        expect(rows).toHaveLength(expected.rows.length === 0 ? 0 : 2);
      }
    }
  });

  it("hears a statement's own parsers, those of its client and those of pg, whenever they were set", async () => {
    const db = open();
    const text = "SELECT $1::int4 AS four, $1::int8 AS eight";
    const ask = async (more = {}) => (await db.query({ text, values: [1], ...more })).rows;
    for (let use = 1; use <= 4; use += 1) expect(await ask()).toEqual([{ four: 1, eight: "1" }]);
    const types = { getTypeParser: () => (value: string) => `<${value}>` };
    expect(await ask({ types })).toEqual([{ four: "<1>", eight: "<1>" }]);
    const before = pg.types.getTypeParser(pg.types.builtins.INT8);
    pg.types.setTypeParser(pg.types.builtins.INT8, BigInt);
    try {
      expect(await ask()).toEqual([{ four: 1, eight: 1n }]);
    } finally {
      pg.types.setTypeParser(pg.types.builtins.INT8, before as (value: string) => unknown);
    }
    expect(await ask()).toEqual([{ four: 1, eight: "1" }]);
  });

  it("rejects with pg's error where a value cannot be read or sent", async () => {
    const db = open();
    const thrown = new Error("unreadable");
    const types = {
      getTypeParser: () => () => {
        throw thrown;
      },
    };
    const unsendable = {
      toPostgres: () => {
        throw thrown;
      },
    };
    for (let use = 1; use <= 4; use += 1) {
      await expect(db.query({ text: "SELECT $1::int AS one", values: [1], types } as never)).rejects.toBe(thrown);
      await expect(db.query("SELECT $1::text AS one", [unsendable])).rejects.toBe(thrown);
      expect((await db.query("SELECT $1::text AS one", ["x"])).rows).toEqual([{ one: "x" }]);
    }
    await until("all to be back", () => db.stats().active === 0);
  });

  it("rejects with pg's errors", async () => {
    const db = open();
    const wrong = [
      { text: "SELECT nothing FROM things WHERE id = $1", values: [1] },
      { text: "SELECT 1 / $1::int AS one", values: [0] },
      { text: "SELECT $1::int AS one", values: ["x"] },
      { text: "INSERT INTO things VALUES ($1, 'twice')", values: [1] },
      { text: "SELECT $1::int AS one", values: [1, 2] },
      { text: "SELECT (", values: [] },
    ];
    for (const statement of wrong) {
      const expected: Error = await plain.query(statement as pg.QueryConfig).then(fail, (error: Error) => error);
      for (let use = 1; use <= 4; use += 1) {
        const error: Error = await db.query(statement).then(fail, (reason: Error) => reason);
        expect(error).toBeInstanceOf(pg.DatabaseError);
        // Where a prepared statement is spoken of, it has a name.
        const message = error.message.replace(/"breakwater_[0-9a-z_]+"/, '""');
        expect(Object.assign(error, { length: 0, message })).toEqual(Object.assign(expected, { length: 0 }));
      }
    }
    expect(db.stats()).toMatchObject({ total: 1, idle: 1 });
  });

  it("rejects with every field of pg's errors", async () => {
    const db = open();
    await plain.query(`CREATE FUNCTION raises(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN
      RAISE 'wrong: %', n USING ERRCODE = 'BW001', DETAIL = 'é∑𝄞', HINT = 'hint', COLUMN = 'c', CONSTRAINT = 'k',
        DATATYPE = 'd', TABLE = 't', SCHEMA = 's';
    END $$`);
    await plain.query(`CREATE FUNCTION inner_query(n int) RETURNS int LANGUAGE plpgsql STABLE AS
      $$ BEGIN EXECUTE 'SELECT missing'; RETURN n; END $$`);
    for (const text of [
      "SELECT raises($1)",
      "SELECT inner_query($1)",
      "SELECT id FROM things WHERE name = $1::int + 1",
    ]) {
      const expected: object = await plain.query(text, [1]).then(fail, (error: object) => error);
      for (let use = 1; use <= 4; use += 1) {
        const error: object = await db.query(text, [1]).then(fail, (reason: object) => reason);
        expect(Object.keys(error)).toEqual(Object.keys(expected));
        expect({ ...error }).toEqual({ ...expected });
      }
    }
  });

  it("tells every field of a notice", async () => {
    const db = open();
    const told: object[] = [];
    const expected: object[] = [];
    db.on("connection:notice", ({ notice }) => told.push({ ...(notice as object) }));
    const hear = (notice: object): void => void expected.push({ ...notice });
    plain.on("notice", hear);
    for (let use = 1; use <= 4; use += 1) {
      await plain.query("SELECT notices($1)", [use]);
      await db.query("SELECT notices($1)", [use]);
    }
    plain.removeListener("notice", hear);
    expect(expected).toHaveLength(8);
    expect(told).toEqual(expected);
  });

  it("gives several results as pg does", async () => {
    const db = open();
    const texts = [
      "SELECT 1 AS one, 'a' AS two; SELECT id, name FROM things WHERE id < 3; SELECT 3 AS one WHERE false",
      "CREATE TEMP TABLE IF NOT EXISTS several (a int); INSERT INTO several VALUES (1), (2); TABLE several; DROP TABLE several",
      "BEGIN; UPDATE things SET name = name WHERE id = 1; ROLLBACK",
    ];
    for (const text of texts) {
      const expected = (await plain.query(text)) as unknown as pg.QueryResult[];
      for (let use = 1; use <= 3; use += 1) {
        const results = (await db.query(text)) as unknown as pg.QueryResult[];
        const shown = (all: pg.QueryResult[]): unknown[] =>
          all.map(({ rows, fields, command, rowCount, oid }) => ({ rows, fields, command, rowCount, oid }));
        expect(shown(results).map((each) => JSON.stringify(each, withoutTable))).toEqual(
          shown(expected).map((each) => JSON.stringify(each, withoutTable)),
        );
      }
    }
    const halfway = "SELECT 1 AS one; SELECT 1 / 0 AS two; SELECT 3 AS three";
    const expected: Error = await plain.query(halfway).then(fail, (error: Error) => error);
    for (let use = 1; use <= 3; use += 1) await expect(db.query(halfway)).rejects.toEqual(expected);
  });

  it("passes notices and notifications on", async () => {
    const db = open();
    const notices: unknown[] = [];
    db.on("connection:notice", ({ notice }) => notices.push((notice as Error).message));
    for (let use = 1; use <= 3; use += 1) await db.query("SELECT notices($1)", [use]);
    expect(notices).toEqual(["first 1", "second", "first 2", "second", "first 3", "second"]);
    const held = await db.connect();
    const heard: unknown[] = [];
    (held.driver as pg.Client).on("notification", ({ payload }) => heard.push(payload));
    await held.query("LISTEN news");
    for (let use = 1; use <= 3; use += 1) await held.query("SELECT pg_notify('news', $1)", [`n${use}`]);
    await held.query("SELECT 1");
    expect(heard).toEqual(["n1", "n2", "n3"]);
    held.release();
  });

  it("reads rows that come in many pieces", async () => {
    const db = open();
    for (let use = 1; use <= 3; use += 1) {
      const { rows } = await db.query<{ x: string; i: number }>(
        "SELECT repeat(chr(96 + i), $1::int) AS x, i FROM generate_series(1, 20) AS i",
        [200_000],
      );
      expect(rows.map(({ x, i }) => x === String.fromCharCode(96 + i).repeat(200_000))).not.toContain(false);
      expect(rows).toHaveLength(20);
    }
  });

  it("leaves texts of several statements, and what is not planned, to pg", async () => {
    const db = open();
    const several = (await db.query("SELECT 1 AS one; SELECT 2 AS two")) as unknown as pg.QueryResult[];
    expect(several.map(({ rows }) => rows)).toEqual([[{ one: 1 }], [{ two: 2 }]]);
    for (const text of ["SHOW search_path", "EXPLAIN SELECT 1", "CREATE TEMP TABLE x (a int)", "/* */", ""]) {
      const expected = await plain.query(text);
      const result = await db.query(text);
      expect([result.command, result.rowCount]).toEqual([expected.command, expected.rowCount]);
    }
  });

  it("goes on when what was prepared has changed or is lost", async () => {
    const db = open();
    const text = "SELECT * FROM changing WHERE id = $1";
    await plain.query("CREATE TABLE changing (id int, a int); INSERT INTO changing VALUES (1, 2)");
    for (let use = 1; use <= 4; use += 1) expect((await db.query(text, [1])).rows).toEqual([{ id: 1, a: 2 }]);
    await plain.query("ALTER TABLE changing ADD COLUMN b int");
    expect((await db.query(text, [1])).rows).toEqual([{ id: 1, a: 2, b: null }]);
    await plain.query("ALTER TABLE changing RENAME COLUMN b TO c");
    expect((await db.query(text, [1])).rows).toEqual([{ id: 1, a: 2, c: null }]);
    await plain.query("ALTER TABLE changing ALTER COLUMN id TYPE text");
    expect((await db.query(text, ["1"])).rows).toEqual([{ id: "1", a: 2, c: null }]);
    for (const forget of ["DISCARD ALL", "DEALLOCATE ALL", "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$"]) {
      await db.query(forget);
      for (let use = 1; use <= 3; use += 1)
        expect((await db.query(text, ["1"])).rows).toEqual([{ id: "1", a: 2, c: null }]);
    }
  });

  it("goes on in a transaction after others had the server forget", async () => {
    const db = open();
    const text = "SELECT name FROM things WHERE id = $1";
    for (let use = 1; use <= 4; use += 1) await db.query(text, [1]);
    const held = await db.connect();
    await (held.driver as pg.Client).query("DISCARD ALL");
    held.release();
    const { rows } = await db.transaction((transaction) => transaction.query(text, [1]));
    expect(rows).toEqual([{ name: "thing 1" }]);
  });

  it("keeps a bounded number of statements prepared on a connection", async () => {
    const db = open({ pipeline: false });
    for (let use = 1; use <= 2; use += 1) {
      for (let text = 0; text < 300; text += 1) await db.query(`SELECT $1::int + ${text} AS sum`, [1]);
    }
    const { rows } = await db.query("SELECT count(*)::int AS prepared FROM pg_prepared_statements");
    expect(rows).toEqual([{ prepared: 250 }]);
  });

  it.each([false, true] as const)("prepares as it is told: %s", async (prepare) => {
    const db = open({ prepare });
    for (let use = 1; use <= 3; use += 1) await db.query("SELECT $1::int AS one", [1]);
    const { rows } = await db.query("SELECT count(*)::int > 0 AS prepared FROM pg_prepared_statements");
    expect(rows).toEqual([{ prepared: prepare }]);
  });
});

function fail(): never {
  throw new Error("it was expected to fail");
}
