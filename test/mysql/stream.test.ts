import { database, type Database, failureOf, type Pool, UsageError } from "@breakwater/core";
import { fromMysql2 } from "@breakwater/mysql2";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { all, errorOf, until } from "../support/wait.ts";
import { type MariaCluster, startMariaCluster } from "./support/cluster.ts";
import { SKIPPED, WHY_NOT } from "./support/server.ts";

interface N {
  readonly n: number;
}

describe.skipIf(WHY_NOT)(`streams of mysql2 on MariaDB${SKIPPED}`, () => {
  let cluster: MariaCluster;
  const admin = (text: string): Promise<Record<string, unknown>[]> => cluster.primary.server.ask("app", text);
  const kept = async (): Promise<number> => Number((await admin("SELECT count(*) AS n FROM kept"))[0]?.["n"]);

  beforeAll(async () => {
    cluster = await startMariaCluster({ replicas: 0 });
    await admin("CREATE TABLE kept (n int PRIMARY KEY)");
  });
  afterAll(() => cluster.close());

  describe.each([true, false])("with prepare: %s", (prepare) => {
    let pool: Pool;
    let db: Database;
    beforeEach(async () => {
      await admin("DELETE FROM kept");
      pool = fromMysql2(cluster.primary.config, { max: 2, prepare });
      db = database(pool);
    });
    afterEach(async () => {
      await until("connections to be back", () => pool.stats().active === 0 && pool.stats().waiting === 0);
      await pool.close({ drainMs: 0 });
    });

    it("bring every row, in order, whatever the size of a part", async () => {
      for (const batchSize of [1, 7, 10, 11, 1_000]) {
        const rows = await all(db.stream<N>("SELECT seq AS n FROM seq_1_to_100 WHERE seq <= ?", [10], { batchSize }));
        expect(rows.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      }
      expect(await all(db.stream("SELECT 1 FROM DUAL WHERE 1 = 0"))).toEqual([]);
      const [queried, streamed] = [
        (await db.query("SELECT CAST(? AS CHAR) AS a, NULL AS b, NOW(3) > '2020-01-01' AS c, 1.50 AS d", ["x"])).rows,
        await all(db.stream("SELECT CAST(? AS CHAR) AS a, NULL AS b, NOW(3) > '2020-01-01' AS c, 1.50 AS d", ["x"])),
      ];
      expect(streamed).toEqual(queried);
      expect(await all(db.stream({ text: "SELECT 1, 'x'", rowMode: "array" }))).toEqual([[1, "x"]]);
    });

    it("are read no faster than their reader reads", async () => {
      const held = await db.connect();
      const socket = (held.driver as { readonly stream: { readonly bytesRead: number } }).stream;
      const before = socket.bytesRead;
      let first: number | undefined;
      let count = 0;
      for await (const _ of held.stream("SELECT seq AS n, REPEAT('x', 1000) AS x FROM seq_1_to_50000", {
        batchSize: 50,
      })) {
        count += 1;
        if (count === 100) {
          // Nothing of what the server could send comes while nobody reads.
          for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
          first = socket.bytesRead - before;
        }
      }
      expect(count).toBe(50_000);
      expect(first).toBeLessThan(10_000_000);
      expect(socket.bytesRead - before).toBeGreaterThan(50_000_000);
      held.release();
    });

    it("give their connection back when the loop is left, often, and leave it in order", async () => {
      for (let round = 0; round < 20; round += 1) {
        for await (const { n } of db.stream<N>("SELECT seq AS n FROM seq_1_to_20000", { batchSize: 10 })) {
          if (n > round) break;
        }
        expect((await db.query<N>("SELECT ? + 1 AS n", [round])).rows).toEqual([{ n: round + 1 }]);
      }
    });

    it("end with the error of their statement, before or between rows", async () => {
      expect(await errorOf(all(db.stream("SELEC 1")))).toMatchObject({ code: "ER_PARSE_ERROR" });
      const late =
        "SELECT n, (SELECT 1 UNION SELECT m.n FROM kept AS m WHERE kept.n > 50 AND m.n < 3) AS x FROM kept ORDER BY n";
      await db.executeMany(
        "INSERT INTO kept VALUES (?)",
        Array.from({ length: 100 }, (_, n) => [n]),
      );
      expect(await errorOf(all(db.stream(late, { batchSize: 5 })))).toMatchObject({ code: "ER_SUBQUERY_NO_1_ROW" });
      expect(await errorOf(all(db.stream("SELECT ? AS a", [Symbol("none")])))).toBeInstanceOf(TypeError);
      expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    });

    it("have their connection to themselves in a transaction: others are refused, and the transaction goes on", async () => {
      await db.transaction(async (tx) => {
        await tx.query("INSERT INTO kept VALUES (1)");
        const reading = tx.stream<N>("SELECT seq AS n FROM seq_1_to_1000", { batchSize: 10 });
        await reading.next();
        const error = await errorOf(tx.query("INSERT INTO kept VALUES (2)"));
        expect(error).toBeInstanceOf(UsageError);
        expect(failureOf(error)).toMatchObject({ effect: "none", retry: "never" });
        expect(await errorOf(tx.stream("SELECT 1").next())).toBeInstanceOf(UsageError);
        await reading.return();
        await tx.query("INSERT INTO kept VALUES (3)");
        const other = tx.stream<N>("SELECT seq AS n FROM seq_1_to_1000", { batchSize: 10 });
        await other.next();
      });
      expect((await admin("SELECT n FROM kept ORDER BY n")).map(({ n }) => n)).toEqual([1, 3]);
      const failing = db.transaction(async (tx) => {
        await tx.query("INSERT INTO kept VALUES (4)");
        await tx.stream("SELECT seq AS n FROM seq_1_to_1000", { batchSize: 10 }).next();
        throw new Error("planted");
      });
      expect(await errorOf(failing)).toMatchObject({ message: "planted" });
      expect(await kept()).toBe(2);
    });

    it("are what there is: COPY and channels are refused", async () => {
      expect(await errorOf(db.copyFrom({ table: "kept" }, ["1\n"]))).toBeInstanceOf(UsageError);
      expect(await errorOf(all(db.copyTo({ table: "kept" })))).toBeInstanceOf(UsageError);
      expect(await errorOf(db.listen("news", () => undefined))).toBeInstanceOf(UsageError);
    });

    it("commit what they write, also when the loop is left", async () => {
      const insert = "INSERT INTO kept SELECT seq FROM seq_1_to_500 RETURNING n";
      for await (const { n } of db.stream<N>(insert, { batchSize: 10 })) if (n === 20) break;
      expect(await kept()).toBe(500);
    });

    it("end with an error when their connection dies, and with the signal's reason when it is given up", async () => {
      const endless = "SELECT a.seq AS n, REPEAT('x', 1000) AS x FROM seq_1_to_100000 AS a, seq_1_to_1000 AS b";
      const dying = async (): Promise<void> => {
        for await (const _ of db.stream(endless, { batchSize: 10 })) {
          const ids = await admin(
            "SELECT id FROM information_schema.processlist WHERE info LIKE '%seq_1_to_100000 AS a%' AND id <> CONNECTION_ID()",
          );
          for (const { id } of ids) await admin(`KILL ${Number(id)}`).catch(() => undefined);
        }
      };
      expect(failureOf(await errorOf(dying()))).toMatchObject({ connection: "destroy" });
      const controller = new AbortController();
      const left = async (): Promise<void> => {
        for await (const _ of db.stream(endless, { batchSize: 10, signal: controller.signal }))
          controller.abort(new Error("left"));
      };
      expect(await errorOf(left())).toMatchObject({ message: "left" });
      // Left after a few of 100 million rows: they are not waited for.
      for await (const _ of db.stream(endless, { batchSize: 10 })) break;
      expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    });
  });
});
