import assert from "node:assert/strict";
import { failureOf } from "../../contract/failure.ts";
import { type Case, errorOf, failure, has, plain } from "./trial.ts";

/** What a statement does. */
export const STATEMENTS: readonly Case[] = [
  {
    name: "a statement is answered with rows, their number, the command and the columns",
    run: async ({ db, language: { integer, string } }) => {
      const answer = await db.query(`SELECT ${integer(1)} AS a, ${string(2)} AS b`, [1, "x"]);
      assert.deepEqual(plain(answer.rows), [{ a: 1, b: "x" }]);
      assert.deepEqual(
        [answer.rowCount, answer.command, answer.fields.map((field) => field.name)],
        [1, "SELECT", ["a", "b"]],
      );
      const changed = await db.query("INSERT INTO conformance (id) VALUES (1), (2)");
      assert.deepEqual([changed.rowCount, changed.command, [...changed.rows]], [2, "INSERT", []]);
      const none = await db.query("SELECT id FROM conformance WHERE id = 3");
      assert.deepEqual([none.rowCount, [...none.rows], none.fields.length], [0, [], 1]);
    },
  },
  {
    name: "a statement keeps nulls, texts of all kinds and many values apart",
    run: async ({ db, language: { string } }) => {
      const texts = ["", "ü–🌊", "a'b\"c\\d", "line\nbreak\ttab", "$1 ? :x"];
      const values = [null, ...texts];
      const columns = values.map((_, at) => `${string(at + 1)} AS c${at}`);
      const { rows } = await db.query({ text: `SELECT ${columns.join(", ")}`, rowMode: "array" }, values);
      assert.deepEqual(plain(rows), [values]);
    },
  },
  {
    name: "a statement gives rows as arrays when asked to",
    run: async ({ db, language: { integer } }) => {
      const statement = { text: `SELECT ${integer(1)}, ${integer(2)} + 1`, rowMode: "array" } as const;
      assert.deepEqual(plain((await db.query(statement, [1, 1])).rows), [[1, 2]]);
      assert.deepEqual(plain((await db.query(statement, [5, 5])).rows), [[5, 6]]);
    },
  },
  {
    name: "a statement can be prepared under a name",
    needs: ["names"],
    run: async ({ db, language: { integer } }) => {
      const statement = { text: `SELECT ${integer(1)} AS a`, name: "one" };
      for (const a of [1, 5]) assert.deepEqual(plain((await db.query(statement, [a])).rows), [{ a }]);
    },
  },
  {
    name: "a statement that is prepared under a name which another text has is refused, not kept waiting",
    needs: ["names"],
    run: async (trial) => {
      const one = trial.single();
      await one.query({ name: "taken", text: "SELECT 1 AS a" });
      has(await failure(one.query({ name: "taken", text: "SELECT 2 AS b" })), { effect: "none" });
      assert.deepEqual(plain((await one.query("SELECT 3 AS c")).rows), [{ c: 3 }]);
    },
  },
  {
    name: "a statement that was prepared before its table changed is prepared again",
    needs: ["names"],
    run: async (trial) => {
      const one = trial.single();
      const statement = { name: "all", text: "SELECT * FROM changing" };
      await trial.admin("DROP TABLE IF EXISTS changing");
      await trial.admin("CREATE TABLE changing (a int)");
      await one.query(statement);
      await trial.admin("ALTER TABLE changing ADD b int");
      const first = await one.query(statement).catch((error: unknown) => failureOf(error));
      if ("retry" in first) has(first, { retry: "same-node", effect: "none" });
      assert.deepEqual(
        (await one.query(statement)).fields.map((field) => field.name),
        ["a", "b"],
      );
      const { forgetPrepared } = trial.language;
      if (forgetPrepared !== undefined) await one.query(forgetPrepared);
      await one.query(statement).catch(() => undefined);
      await one.query(statement);
      await one.close();
      await trial.admin("DROP TABLE changing");
    },
  },
  {
    name: "a statement whose values cannot be sent fails, has no effect, and leaves the connection in order",
    run: async (trial) => {
      const { db, language } = trial;
      for (const bad of trial.unsendable) {
        const insert = (id: number): string =>
          `INSERT INTO conformance (id, note) VALUES (${id}, ${language.value(1)})`;
        has(await failure(db.query(insert(1), [bad])), { effect: "none", retry: "never", blames: "caller" });
        const inside = db.transaction(async (tx) => {
          await tx.query("INSERT INTO conformance (id) VALUES (2)");
          await tx.query(insert(3), [bad]);
        });
        has(await failure(inside), { effect: "none", retry: "never" });
      }
      assert.deepEqual(await trial.ids(), []);
      await db.query("INSERT INTO conformance (id) VALUES (4)");
      assert.deepEqual(await trial.ids(), [4]);
    },
  },
  {
    name: "a statement is answered when it has ended, not when its result is there: what fails then fails it",
    run: async (trial) => {
      const { createDeferred, value, duplicateCode } = trial.language;
      if (createDeferred === undefined) return;
      await trial.admin("DROP TABLE IF EXISTS deferred");
      await trial.admin(createDeferred);
      const insert = `INSERT INTO deferred (id) VALUES (${value(1)})`;
      await trial.db.query(insert, [1]);
      const error = await errorOf(trial.db.query(insert, [1]));
      assert.equal(error.code, duplicateCode);
      has(failureOf(error), { effect: "none", connection: "keep" });
      assert.deepEqual(plain((await trial.db.query("SELECT id FROM deferred")).rows), [{ id: 1 }]);
      await trial.admin("DROP TABLE deferred");
    },
  },
  {
    name: "a statement that fails keeps its connection: 200 unique violations, one session",
    run: async (trial) => {
      const one = trial.single();
      await one.query("INSERT INTO conformance (id) VALUES (1)");
      const before = await trial.session(one);
      for (let at = 0; at < 200; at += 1) {
        const error = await errorOf(one.query("INSERT INTO conformance (id) VALUES (1)"));
        assert.equal(error.code, trial.language.duplicateCode);
        has(failureOf(error), { effect: "none", connection: "keep" });
      }
      assert.equal(await trial.session(one), before);
    },
  },
];
