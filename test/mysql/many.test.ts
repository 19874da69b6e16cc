import { database, type Database, failedIndex, failureOf, type Pool, seededRandom } from "@breakwater/core";
import { fromMysql2 } from "@breakwater/mysql2";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";
import { type MariaCluster, startMariaCluster } from "./support/cluster.ts";
import { SKIPPED, WHY_NOT } from "./support/server.ts";

type Row = readonly unknown[];

/** What is done with many rows, and how a session and the tables are before that. */
interface Case {
  readonly title: string;
  readonly text: string;
  readonly rows: readonly Row[];
  readonly before?: string;
  /** Statements of an administrator, in the place of the plain table. */
  readonly made?: string;
  /** Also looked at with values in the text. */
  readonly ofText?: boolean;
}

const PLAIN = "CREATE TABLE t (id int PRIMARY KEY, note varchar(20), n int NOT NULL DEFAULT 7)";
const NUMBERED = "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, note varchar(20), n int NOT NULL DEFAULT 7)";
const EXACT = "CREATE TABLE t (id int PRIMARY KEY, note decimal(5,1), n decimal(5,1))";
const INSERT = "INSERT INTO t (id, note, n) VALUES (?, ?, ?)";

const count = (many: number, made: (at: number) => Row): Row[] => Array.from({ length: many }, (_, at) => made(at));
/** Rows of which one is another. */
const but = (many: number, at: number, other: Row): Row[] =>
  count(many, (id) => (id === at ? other : [id, `n${id}`, id]));
const trigger = (body: string): string =>
  `CREATE TRIGGER noticed AFTER INSERT ON t FOR EACH ROW BEGIN ${body}; END;
   CREATE TABLE seen (id int NOT NULL, many int)`;

const CASES: readonly Case[] = [
  { title: "a thousand and more", text: INSERT, rows: but(1_150, -1, []) },
  { title: "few", text: INSERT, rows: but(3, -1, []) },
  { title: "one that is there twice", text: INSERT, rows: but(60, 50, [7, "x", 1]), ofText: true },
  { title: "the first of them wrong", text: INSERT, rows: but(40, 0, ["none", "x", 1]) },
  { title: "the last of them wrong", text: INSERT, rows: but(40, 39, ["none", "x", 1]) },
  { title: "a text that is too long", text: INSERT, rows: but(40, 25, [25, "x".repeat(21), 1]) },
  { title: "nothing where that is not allowed", text: INSERT, rows: but(40, 25, [25, "x", null]) },
  { title: "a value that cannot be sent", text: INSERT, rows: but(40, 25, [25, undefined, 1]), ofText: true },
  { title: "too few values", text: INSERT, rows: but(40, 25, [25, "x"]) },
  { title: "too many values", text: INSERT, rows: but(40, 25, [25, "x", 1, 2]) },
  { title: "a table that is not there", text: "INSERT INTO nowhere VALUES (?, ?, ?)", rows: but(40, -1, []) },
  { title: "a column that is not there", text: "INSERT INTO t (id, x, n) VALUES (?, ?, ?)", rows: but(40, -1, []) },
  { title: "a list that is too short", text: "INSERT INTO t VALUES (?, ?)", rows: count(40, (id) => [id, "x"]) },
  {
    title: "lists",
    text: INSERT,
    rows: but(40, 25, [25, ["x", 1]]),
    ofText: true,
  },
  {
    title: "values of many types",
    ofText: true,
    made: "CREATE TABLE t (id int PRIMARY KEY, a varchar(99), b double, c datetime(3), d blob, e json, f bool, g bigint)",
    text: "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    rows: count(60, (id) => {
      const one = [`'"\\ é🌊 ${id}`, id / 7, new Date(1.7e12 + id), Buffer.from([0, id, 255]), { id }, true, 2n ** 60n];
      // A type for each place, and nothing in another place of each row.
      return [id, ...one.map((value, at) => ((at + id) % 8 === 0 ? null : value))];
    }),
  },
  {
    title: "types that change from row to row",
    ofText: true,
    made: "CREATE TABLE t (id int PRIMARY KEY, a varchar(99), b varchar(99))",
    text: "INSERT INTO t VALUES (?, ?, ?)",
    rows: count(60, (id) => [id, [1, "x", null, true, 1.5][id % 5], ["y", 2n, new Date(1.7e12), false, null][id % 5]]),
  },
  {
    title: "numbers that the server gives",
    made: NUMBERED,
    text: INSERT,
    rows: count(60, (at) => [at % 7 === 3 ? at * 10 : at % 5 === 0 ? 0 : null, null, at]),
  },
  {
    title: "numbers that the server gives, and one that is there already",
    made: NUMBERED,
    text: INSERT,
    rows: count(60, (at) => [at === 50 ? 20 : null, null, at]),
  },
  {
    title: "constants and defaults",
    text: "INSERT INTO t VALUES (?, 'x', DEFAULT)",
    rows: count(60, (id) => [id]),
  },
  {
    title: "rows that replace others",
    text: "REPLACE INTO t VALUES (?, ?, ?)",
    rows: count(60, (at) => [at % 9, "x", at]),
  },
  ...[
    "n = VALUES(n)",
    "n = n + 1",
    "n = n",
    "n = IF(n > 2, VALUES(n), n + VALUES(id)), note = 'a,b'",
    "id = id + 1",
  ].map((update): Case => ({
    title: `ON DUPLICATE KEY UPDATE ${update}`,
    text: `${INSERT} ON DUPLICATE KEY UPDATE ${update}`,
    rows: count(60, (at) => [(at * 7) % 23, "x", at % 4]),
  })),
  {
    title: "a trigger that counts",
    made: `${PLAIN}; ${trigger("INSERT INTO seen SELECT NEW.id, COUNT(*) FROM t")}`,
    text: INSERT,
    rows: but(60, -1, []),
  },
  {
    title: "a trigger that refuses",
    made: `${PLAIN}; ${trigger("IF NEW.n = 41 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF")}`,
    text: INSERT,
    rows: but(60, -1, []),
  },
  {
    title: "a trigger whose own statement of several rows fails",
    made: `${PLAIN}; ${trigger("IF NEW.n = 41 THEN INSERT INTO seen VALUES (1, 1), (2, 2), (NULL, 3); END IF")}`,
    text: INSERT,
    rows: but(60, -1, []),
  },
  {
    title: "a trigger that refuses, behind many warnings",
    made: `${EXACT}; ${trigger("IF NEW.id = 90 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF")}`,
    text: INSERT,
    rows: count(200, (id) => [id, "1.23", "4.56"]),
  },
  {
    title: "a row that fails, behind many warnings",
    ofText: true,
    made: EXACT,
    text: INSERT,
    rows: count(200, (id) => [id === 150 ? 3 : id, "1.23", "4.56"]),
  },
  {
    title: "keys of another table",
    made: `CREATE TABLE t (id int PRIMARY KEY, note varchar(20), n int, FOREIGN KEY (n) REFERENCES t (id))`,
    text: INSERT,
    rows: count(60, (id) => [id, "x", id === 41 ? 50 : Math.max(id - 1, 0)]),
  },
  {
    title: "a condition on the table",
    made: `${PLAIN}; ALTER TABLE t ADD CHECK (n <> 41)`,
    text: INSERT,
    rows: but(60, -1, []),
  },
  {
    title: "a mode that is not strict",
    before: "SET sql_mode = ''",
    text: INSERT,
    rows: but(60, 40, [40, "x".repeat(30), 1]),
  },
  {
    title: "nothing where that is not allowed, in a mode that is not strict",
    before: "SET sql_mode = ''",
    text: INSERT,
    rows: but(60, 40, [40, "x", null]),
  },
  {
    title: "a table without transactions",
    made: `${PLAIN} ENGINE=MyISAM`,
    text: INSERT,
    rows: but(60, 40, [40, "x", null]),
  },
  {
    title: "a temporary table without transactions, of the same name",
    before: `CREATE TEMPORARY TABLE t (id int PRIMARY KEY, note varchar(20), n int NOT NULL) ENGINE=MyISAM`,
    text: INSERT,
    rows: but(60, 40, [40, "x", null]),
  },
  {
    title: "checks put off",
    before: "SET unique_checks = 0, foreign_key_checks = 0",
    text: INSERT,
    rows: but(60, 40, [3, "x", 1]),
  },
  {
    title: "a view",
    made: `${PLAIN}; ALTER TABLE t RENAME below; CREATE VIEW t AS SELECT * FROM below`,
    text: INSERT,
    rows: but(60, 40, [3, "x", 1]),
  },
  { title: "rows that may fail", text: INSERT.replace("INSERT", "INSERT IGNORE"), rows: but(60, 40, [3, "x", 1]) },
];

describe.skipIf(WHY_NOT)(`many rows with mysql2 on MariaDB${SKIPPED}`, () => {
  let cluster: MariaCluster;
  const admin = (text: string): Promise<Record<string, unknown>[]> => cluster.primary.server.ask("app", text);
  /** Statements of a kind that the server has been sent. */
  const sent = async (kind: string): Promise<number> =>
    Number((await admin(`SHOW GLOBAL STATUS LIKE 'Com_${kind}'`))[0]?.["Value"]);
  /** The connection on which a statement of many rows is under way. */
  const working = async (): Promise<number> => {
    let found: Record<string, unknown> | undefined;
    await until("many rows to be under way", async () => {
      [found] = await admin(
        "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE COMMAND <> 'Sleep' AND INFO LIKE 'SET STATEMENT%'",
      );
      return found !== undefined;
    });
    return Number(found?.["id"]);
  };
  let made = "";
  /** Makes the table anew; the plain one is only emptied. */
  const make = async (text = PLAIN): Promise<void> => {
    if (made === text && text === PLAIN) {
      await admin("DELETE FROM t");
      return;
    }
    made = text;
    await admin(`DROP VIEW IF EXISTS t; DROP TABLE IF EXISTS t, below, seen; ${text}`);
  };

  beforeAll(async () => {
    cluster = await startMariaCluster({ replicas: 0, more: ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"] });
  });
  afterAll(() => cluster.close());

  describe.each([true, false])("with prepare: %s", (prepare) => {
    let pool: Pool;
    let db: Database;
    beforeEach(async () => {
      await make();
      pool = fromMysql2(cluster.primary.config, { max: 2, prepare });
      db = database(pool);
    });
    afterEach(async () => {
      await until("connections to be back", () => pool.stats().active === 0 && pool.stats().waiting === 0);
      await pool.close({ drainMs: 0 });
    });

    /** Everything that can be seen of a case afterwards. A comment keeps its rows apart. */
    async function seen({ text, rows, before, ...one }: Case, apart: boolean): Promise<unknown> {
      await make(one.made);
      // The session, its settings and temporary tables end with it.
      const own = fromMysql2(cluster.primary.config, { max: 1, prepare });
      const held = await database(own).connect();
      if (before !== undefined) await held.query(before);
      const asked = apart ? `${text} /* one by one */` : text;
      const answer = await held.executeMany(asked, rows).catch((error: unknown) => ({
        code: (error as { readonly code?: unknown }).code,
        index: failedIndex(error),
        failure: failureOf(error),
      }));
      const left = (await held.query("SELECT * FROM t ORDER BY id")).rows;
      const noticed =
        one.made?.includes("seen") === true ? (await held.query("SELECT * FROM seen ORDER BY id")).rows : [];
      const [state] = (
        await held.query("SELECT @@in_transaction AS open, @@max_error_count AS told, @breakwater_row AS ours")
      ).rows;
      held.release();
      await own.close();
      return { answer, left, noticed, state };
    }

    it.each(CASES.filter(({ ofText }) => prepare || ofText))(
      "does with them as with one after another: $title",
      async (one) => {
        const apart = await seen(one, true);
        expect(await seen(one, false)).toEqual(apart);
      },
    );

    it("sends them in few statements", async () => {
      const rows = count(10_000, (id) => [id, `n${id}`, id]);
      const before = await sent("insert");
      expect(await db.executeMany(INSERT, rows)).toBe(10_000);
      expect((await sent("insert")) - before).toBeLessThanOrEqual(30);
      expect(await admin("SELECT COUNT(*) AS n, SUM(n) AS s FROM t")).toEqual([
        { n: 10_000, s: String((9_999 * 10_000) / 2) },
      ]);
    });

    it("leaves nothing prepared but the statement itself", async () => {
      const held = await db.connect();
      const prepared = async (): Promise<number> =>
        Number((await admin("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'"))[0]?.["Value"]);
      const before = await prepared();
      await held.executeMany(
        INSERT,
        count(2_500, (id) => [id, "x", id]),
      );
      await errorOf(
        held.executeMany(
          INSERT,
          count(2_500, (id) => [id, "x", id]),
        ),
      );
      expect((await prepared()) - before).toBeLessThanOrEqual(1);
      held.release();
    });

    it("sends no more than the server takes", async () => {
      const rows = count(64, (id) => [id, "x".repeat(id === 40 ? 200_000 : 30_000)]);
      await make("CREATE TABLE t (id int PRIMARY KEY, note longtext)");
      const small = fromMysql2(cluster.primary.config, { prepare });
      const [before] = await admin("SELECT @@global.max_allowed_packet AS bytes");
      await admin("SET GLOBAL max_allowed_packet = 262144");
      try {
        const many = database(small);
        expect(await many.executeMany("INSERT INTO t VALUES (?, ?)", rows)).toBe(64);
        await admin("DELETE FROM t WHERE id <> 50");
        expect(failedIndex(await errorOf(many.executeMany("INSERT INTO t VALUES (?, ?)", rows)))).toBe(50);
      } finally {
        await admin(`SET GLOBAL max_allowed_packet = ${String(before?.["bytes"])}`);
        await small.close();
      }
    });

    it("speaks of the last row alone by LAST_INSERT_ID()", async () => {
      await make(NUMBERED);
      await db.transaction(async (tx) => {
        await tx.executeMany(
          "INSERT INTO t (note) VALUES (?)",
          count(50, (at) => [`n${at}`]),
        );
        expect(await tx.value("SELECT LAST_INSERT_ID()")).toBe(50);
      });
    });

    it("keeps nothing of many of which one fails, and names it", async () => {
      const random = seededRandom(7);
      for (let round = 0; round < 4; round += 1) {
        const at = Math.floor(random() * 3_000);
        const error = await errorOf(db.executeMany(INSERT, but(3_000, at, [at, "x", null])));
        expect([failedIndex(error), (error as { readonly code?: unknown }).code]).toEqual([at, "ER_BAD_NULL_ERROR"]);
        // What it says of the statement is what the caller has sent.
        expect(String((error as { readonly sql?: unknown }).sql).length).toBeLessThan(100);
      }
      expect(await admin("SELECT COUNT(*) AS n FROM t")).toEqual([{ n: 0 }]);
    });

    it("goes on in a transaction of which a part has failed", async () => {
      await db.transaction(async (tx) => {
        await tx.query("INSERT INTO t (id) VALUES (9000)");
        const error = await errorOf(tx.transaction((part) => part.executeMany(INSERT, but(60, 40, [3, "x", 1]))));
        expect(failedIndex(error)).toBe(40);
        await tx.executeMany(INSERT, but(60, -1, []));
      });
      expect(await admin("SELECT COUNT(*) AS n FROM t")).toEqual([{ n: 61 }]);
    });

    it("ends with its call, and keeps nothing", async () => {
      const blocker = await db.connect();
      await blocker.query("START TRANSACTION");
      await blocker.query("INSERT INTO t (id) VALUES (3000)");
      const ending = new AbortController();
      const call = errorOf(
        db.executeMany(
          INSERT,
          count(5_000, (id) => [id, "x", id]),
          { signal: ending.signal },
        ),
      );
      await working();
      const reason = new Error("planted");
      ending.abort(reason);
      expect(await call).toBe(reason);
      await blocker.query("ROLLBACK");
      blocker.release();
      // One that is still there would keep this waiting.
      await admin("LOCK TABLES t WRITE; UNLOCK TABLES");
      expect(await admin("SELECT COUNT(*) AS n FROM t")).toEqual([{ n: 0 }]);
      expect(await db.executeMany(INSERT, but(60, -1, []))).toBe(60);
    });

    it("tells of a lost link, and not which row it was", async () => {
      const blocker = await db.connect();
      await blocker.query("START TRANSACTION");
      await blocker.query("INSERT INTO t (id) VALUES (3000)");
      const call = errorOf(
        db.executeMany(
          INSERT,
          count(5_000, (id) => [id, "x", id]),
        ),
      );
      await admin(`KILL ${await working()}`);
      const error = await call;
      expect(failureOf(error)).toMatchObject({ effect: "none", connection: "destroy" });
      expect(failedIndex(error)).toBeUndefined();
      await blocker.query("ROLLBACK");
      blocker.release();
      expect(await db.executeMany(INSERT, but(60, -1, []))).toBe(60);
    });
  });
});
