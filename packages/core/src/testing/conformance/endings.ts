import assert from "node:assert/strict";
import { failureOf } from "../../contract/failure.ts";
import { database } from "../../face/database.ts";
import { type Case, errorOf, failure, has, until } from "./trial.ts";

/** What ends a statement before its time. */
export const ENDINGS: readonly Case[] = [
  {
    name: "a deadline or an abort ends a statement, here and at the server, and its connection is not used again",
    needs: ["cancel"],
    run: async (trial) => {
      const { sleep } = trial.language;
      const one = trial.single();
      const before = await trial.session(one);
      const late = one.query(sleep(60, "late"), { timeoutMs: 300, access: "read" });
      assert.equal((await errorOf(late)).code, "ERR_BREAKWATER_TIMEOUT");
      await trial.running("late", false);
      const abort = new AbortController();
      const aborted = errorOf(one.query(sleep(60, "left"), { signal: abort.signal, access: "read" }));
      const reason = new Error("left");
      await trial.running("left");
      abort.abort(reason);
      assert.equal(await aborted, reason);
      await trial.running("left", false);
      assert.notEqual(await trial.session(one), before);
    },
  },
  {
    name: "a deadline of a write that has been sent leaves its outcome unknown",
    needs: ["cancel"],
    run: async (trial) => {
      const text = trial.language.sleepAndInsert(60, "write");
      // With a connection there, the time runs out while the statement runs.
      await trial.session();
      const error = await errorOf(trial.db.query(text, { timeoutMs: 300 }));
      assert.equal(error.code, "ERR_BREAKWATER_OUTCOME_UNKNOWN");
      has(error.cause, { code: "ERR_BREAKWATER_TIMEOUT" });
      await trial.running("write", false);
    },
  },
  {
    name: "a wait for a connection ends without a deadline: there is a limit when all are taken",
    run: async (trial) => {
      const one = trial.single(1_000);
      const held = await one.connect();
      const error = await errorOf(one.query("SELECT 1"));
      has(error, { code: "ERR_BREAKWATER_TIMEOUT", phase: "acquire" });
      assert.equal(failureOf(error).effect, "none");
      held.release();
      const inside = one.transaction(async () => one.query("SELECT 1"));
      assert.equal((await errorOf(inside)).code, "ERR_BREAKWATER_TIMEOUT");
      await one.query("SELECT 1");
    },
  },
  {
    name: "a connection that is lost while idle is an event, and the next call has another",
    needs: ["lost-connections", "many-connections"],
    run: async ({ pool, db, server }) => {
      const told: unknown[] = [];
      pool.events.on("connection:lost", (event) => told.push(event));
      const held = [await db.connect(), await db.connect()];
      for (const connection of held) await connection.query("SELECT 1");
      for (const connection of held) connection.release();
      await server.terminate();
      await until("both losses to be told", () => told.length >= 2);
      for (let at = 0; at < 4; at += 1) assert.equal((await db.query("SELECT 1")).rowCount, 1);
    },
  },
  {
    name: "a connection that is lost under a read, a write, a transaction and a session says what may have been kept",
    needs: ["lost-connections", "many-connections"],
    run: async (trial) => {
      const four = database(trial.make(4));
      const { sleep, sleepAndInsert } = trial.language;
      const held = await four.connect();
      const calls = [
        failure(four.query(sleep(60, "read"))),
        failure(four.query(sleepAndInsert(60, "autocommit"))),
        failure(four.transaction((tx) => tx.query(sleepAndInsert(60, "transaction")))),
        failure(held.query(sleepAndInsert(60, "session"))),
      ];
      for (const mark of ["read", "autocommit", "transaction", "session"]) await trial.running(mark);
      await trial.server.terminate();
      const failures = await Promise.all(calls);
      assert.deepEqual(
        failures.map(({ effect }) => effect),
        ["none", "unknown", "none", "unknown"],
      );
      assert.deepEqual(new Set(failures.map(({ connection }) => connection)), new Set(["destroy"]));
      assert.equal(failures[3]?.retry, "never");
      assert.ok(four.stats().total <= 1);
      held.release();
    },
  },
  {
    name: "a connection that is lost is gone from the pool before its call's promise settles",
    needs: ["lost-connections"],
    run: async (trial) => {
      const one = trial.single();
      await trial.session(one);
      const ended = errorOf(one.query(trial.language.sleep(60, "fatal"), { access: "read" })).then(
        () => one.stats().total,
      );
      await trial.running("fatal");
      await trial.server.terminate("fatal");
      assert.equal(await ended, 0);
    },
  },
  {
    name: "an interrupt ends what runs, and lets no connection of before be used again",
    needs: ["cancel", "many-connections"],
    run: async (trial) => {
      const { db, pool } = trial;
      const before = new Set([await trial.session()]);
      const held = await db.connect();
      before.add(await trial.session(held));
      const reading = errorOf(db.query(trial.language.sleep(3, "interrupted"), { access: "read" }));
      await trial.running("interrupted");
      const gone = new Error("the node is gone");
      pool.interrupt(gone);
      pool.interrupt(gone);
      has(await reading, { code: "ERR_BREAKWATER_NODE_LOST", cause: gone });
      has(await errorOf(held.query("SELECT 1")), { code: "ERR_BREAKWATER_NODE_LOST" });
      held.release();
      for (let at = 0; at < 4; at += 1) assert.equal(before.has(await trial.session()), false);
    },
  },
];
