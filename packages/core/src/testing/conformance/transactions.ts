import assert from "node:assert/strict";
import { type Asked, type Case, errorOf } from "./trial.ts";

const insert = (id: number): string => `INSERT INTO conformance (id) VALUES (${id})`;

/** What a transaction does. */
export const TRANSACTIONS: readonly Case[] = [
  {
    name: "a transaction keeps everything or nothing",
    run: async ({ db, ids }) => {
      await db.transaction((tx) => tx.query(insert(1)));
      const mine = new Error("mine");
      const failed = db.transaction(async (tx) => {
        await tx.query(insert(2));
        throw mine;
      });
      assert.equal(await errorOf(failed), mine);
      assert.deepEqual(await ids(), [1]);
    },
  },
  {
    name: "a transaction passes on a driver's error as it is",
    run: async ({ db, language }) => {
      let seen: unknown;
      const failed = db.transaction(async (tx) => {
        try {
          await tx.query("no statement");
        } catch (error) {
          seen = error;
          throw error;
        }
      });
      const error = await errorOf(failed);
      assert.equal(error, seen);
      assert.equal(error.code, language.syntaxCode);
    },
  },
  {
    name: "a transaction that had a statement fail is not taken for committed",
    needs: ["failed-transactions"],
    run: async ({ db, ids }) => {
      const failed = db.transaction(async (tx) => {
        await tx.query(insert(1));
        await tx.query("no statement").catch(() => undefined);
      });
      assert.equal((await errorOf(failed)).code, "ERR_BREAKWATER_ROLLED_BACK");
      const held = await db.connect();
      await held.query("BEGIN");
      await held.query("no statement").catch(() => undefined);
      assert.equal((await errorOf(held.query("COMMIT"))).code, "ERR_BREAKWATER_ROLLED_BACK");
      held.release();
      assert.deepEqual(await ids(), []);
    },
  },
  {
    name: "a transaction undoes inner ones that fail, and nothing else",
    run: async ({ db, ids }) => {
      await db.transaction(async (tx) => {
        await tx.query(insert(1));
        const inner = tx.transaction(async (part) => {
          await part.query(insert(2));
          await part.query(insert(1));
        });
        await inner.catch(() => undefined);
        await tx.transaction((part) => part.query(insert(3)));
      });
      assert.deepEqual(await ids(), [1, 3]);
    },
  },
  {
    name: "a transaction that is left open never reaches who comes next",
    run: async (trial) => {
      const one = trial.single();
      const several: (() => Promise<unknown>)[] = [
        () => one.query("BEGIN; no statement").catch(() => undefined),
        () => one.query("BEGIN; INSERT INTO conformance (id) VALUES (99)"),
      ];
      const leave: (() => Promise<unknown>)[] = [
        () => one.query("BEGIN"),
        ...(trial.can("several-statements") ? several : []),
        async () => {
          const held = await one.connect();
          await held.query("BEGIN");
          await held.query(insert(99));
          held.release();
        },
        async () => {
          const held = await one.connect();
          await held.query("BEGIN");
          await held.query("no statement").catch(() => undefined);
          held.release();
        },
        async () => {
          const held = await one.connect();
          await held.query("BEGIN");
          held.destroy();
        },
      ];
      for (const [at, left] of leave.entries()) {
        await left();
        await one.query(insert(at));
        assert.ok((await trial.ids()).includes(at), `the row after the open transaction ${at} was not kept`);
      }
      assert.ok(!(await trial.ids()).includes(99));
    },
  },
  {
    name: "a transaction with a deadline is limited at the server too, unless a stricter limit stands",
    needs: ["server-limits"],
    run: async (trial) => {
      const { limit } = trial.language;
      assert.ok(limit !== undefined, "the language of the server does not say how its limit is read");
      const shown = async (on: Asked): Promise<number> =>
        Number(((await on.query(limit.read)).rows[0] as { readonly t?: unknown }).t);
      const limited = await trial.db.transaction((tx) => shown(tx as never), { timeoutMs: 5_000 });
      assert.ok(limited > 4_000 && limited < 6_000, `the limit is ${limited} ms`);
      assert.equal(await trial.db.transaction((tx) => shown(tx as never)), 0);
      assert.equal(await shown(trial.db), 0);
      await trial.admin(limit.setDefault(700));
      try {
        const stricter = trial.single();
        assert.equal(await stricter.transaction((tx) => shown(tx as never), { timeoutMs: 5_000 }), 700);
      } finally {
        await trial.admin(limit.setDefault(undefined));
      }
    },
  },
];
