import assert from "node:assert/strict";
import { database, type Database } from "../../face/database.ts";
import type { LifecycleOptions } from "../../store/lifecycle.ts";
import { type Operation, operationContext, queryOperation } from "../../contract/operation.ts";
import { type Case, errorOf, until } from "./trial.ts";
import type { Trial } from "./trial.ts";

async function living(trial: Trial, options: LifecycleOptions, live: (own: Database) => Promise<void>): Promise<void> {
  const own = database(trial.make(3, options));
  await live(own);
  await own.close();
}

/** How connections live, where that is the adapter's to say. */
export const LIVES: readonly Case[] = [
  {
    name: "connections: min are opened by ready(), and there again when they are lost",
    needs: ["lifecycle", "lost-connections", "many-connections"],
    run: (trial) =>
      living(trial, { min: 2 }, async (own) => {
        await own.ready();
        assert.deepEqual([own.stats().total, own.stats().idle], [2, 2]);
        const before = await trial.session(own);
        await trial.server.terminate();
        await until(
          "two to be there again",
          async () => own.stats().idle === 2 && (await trial.server.connections()) === 2,
        );
        assert.notEqual(await trial.session(own), before);
      }),
  },
  {
    name: "connections end when idle for too long, too old or used up",
    needs: ["lifecycle"],
    run: async (trial) => {
      await living(trial, { idleTimeoutMs: 30 }, async (own) => {
        await own.query("SELECT 1");
        await until("the idle one to be gone", () => own.stats().total === 0);
      });
      await living(trial, { maxLifetimeMs: 50, idleTimeoutMs: 0 }, async (own) => {
        await own.query("SELECT 1");
        await until("the old one to be gone", () => own.stats().total === 0);
      });
      await living(trial, { maxUses: 1 }, async (own) => {
        assert.notEqual(await trial.session(own), await trial.session(own));
      });
    },
  },
  {
    name: "connections are prepared before their first call, and reset before the next borrower",
    needs: ["lifecycle"],
    run: async (trial) => {
      const { setMark, readMark } = trial.language;
      const options: LifecycleOptions = {
        onConnect: (connection) => connection.query(setMark("own")),
        resetOnRelease: "discard-all",
      };
      await living(trial, options, async (own) => {
        const mark = async (): Promise<unknown> => (await own.query(readMark)).rows[0]?.["mark"];
        assert.equal(await mark(), "own");
        const held = await own.connect();
        await held.query(setMark("left"));
        held.release();
        assert.equal(await mark(), "own");
      });
    },
  },
  {
    name: "connections: their number can be changed while calls run and wait",
    needs: ["lifecycle", "many-connections"],
    run: (trial) =>
      living(trial, {}, async (own) => {
        own.resize({ max: 1 });
        const held = await own.connect();
        const waiting = own.connect();
        assert.deepEqual([own.stats().waiting, own.stats().max], [1, 1]);
        own.resize({ max: 2 });
        (await waiting).release();
        held.release();
        assert.throws(() => own.resize({ max: 0 }), /max/);
      }),
  },
];

/** How long a call may wait that has nothing to do with time, in milliseconds. */
const PATIENCE_MS = 20_000;

/** What the pool does. */
export const POOLS: readonly Case[] = [
  {
    name: "the pool opens no more connections than it may, and answers each call with its own answer",
    run: async (trial) => {
      const db = database(trial.make(2, {}, PATIENCE_MS));
      let most = 0;
      const answers = await Promise.all(
        Array.from({ length: 300 }, async (_, at) => {
          const { rows } = await db.query(`SELECT ${trial.language.integer(1)} AS n`, [at], { timeoutMs: PATIENCE_MS });
          most = Math.max(most, db.stats().total, db.stats().active);
          return rows[0]?.["n"];
        }),
      );
      assert.deepEqual(
        answers,
        Array.from({ length: 300 }, (_, at) => at),
      );
      const { max, active, waiting } = db.stats();
      assert.ok(most <= max && max <= 2, `${most} connections of ${max}`);
      const there = await trial.server.connections();
      assert.ok(there <= max, `${there} connections at the server, of ${max}`);
      assert.deepEqual([active, waiting, Object.isFrozen(db.stats())], [0, 0, true]);
    },
  },
  {
    name: "the pool keeps one connection more for probes, which get through when the others are taken",
    needs: ["many-connections"],
    run: async ({ db, pool, server }) => {
      const held = [await db.connect(), await db.connect()];
      const probe: Operation<unknown> = {
        ...queryOperation({ text: "SELECT 1" }, operationContext("read")),
        purpose: "probe",
        deadline: performance.now() + PATIENCE_MS,
      };
      await Promise.all([pool.execute(probe), pool.execute(probe), pool.execute(probe)]);
      assert.equal(db.stats().active, 2);
      await until("the others to be gone", async () => (await server.connections()) <= 3);
      for (const connection of held) connection.release();
    },
  },
  {
    name: "the pool cuts off what runs when it is closed, in bounded time",
    needs: ["cancel"],
    run: async (trial) => {
      const { db, pool } = trial;
      const long = errorOf(db.query(trial.language.sleep(60, "long"), { access: "read" }));
      await trial.running("long");
      const began = performance.now();
      await Promise.all([db.close({ drainMs: 100 }), db.close(), pool.close()]);
      assert.ok(performance.now() - began < 4_000, "closing took too long");
      assert.equal((await long).code, "ERR_BREAKWATER_POOL_CLOSED");
      await trial.running("long", false);
    },
  },
  {
    name: "the pool refuses everything when it has been closed",
    run: async ({ db }) => {
      await db.query("SELECT 1");
      await db.close();
      await db.close();
      assert.equal((await errorOf(db.query("SELECT 1"))).code, "ERR_BREAKWATER_POOL_CLOSED");
      assert.equal((await errorOf(db.connect())).code, "ERR_BREAKWATER_POOL_CLOSED");
      assert.equal((await errorOf(db.transaction(async () => undefined))).code, "ERR_BREAKWATER_POOL_CLOSED");
    },
  },
];
