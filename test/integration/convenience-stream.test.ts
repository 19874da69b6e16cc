import type { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Readable } from "node:stream";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { database, OptionError, seededRandom, UsageError } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { type Database } from "breakwater";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeStacks, noConnectionLeft, stackOn, through } from "../support/database.ts";
import { all, errorOf, until } from "../support/wait.ts";

interface N {
  readonly n: number;
}

const MANY = "SELECT n FROM generate_series(1, 1000000) AS n";

describe("a stream", () => {
  let cluster: Cluster;
  let db: Database;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1 });
    await cluster.primary.query("CREATE TABLE kept (n int)");
    db = stackOn(cluster);
  });

  afterAll(async () => {
    await closeStacks();
    await noConnectionLeft(cluster);
    await cluster.close();
  });

  /** Everything is back: no connection is lent, and the pools serve others. */
  async function allBack(of: Database = db): Promise<void> {
    await until("connections to be back", () => of.stats().active === 0 && of.stats().waiting === 0);
    for (const node of cluster.nodes) {
      await until("no transaction to be open", async () => {
        const left = await node.query(
          "SELECT query FROM pg_stat_activity WHERE application_name = 'breakwater-test' AND state <> 'idle'",
        );
        return left.length === 0;
      });
    }
  }

  it("brings every row, in order, whatever the size of a part", async () => {
    for (const batchSize of [1, 7, 10, 11, 1000]) {
      const rows = await all(db.stream<N>("SELECT generate_series(1, $1::int) AS n", [10], { batchSize }));
      expect(rows.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
    expect(await all(db.stream("SELECT 1 WHERE false"))).toEqual([]);
    expect(await all(db.stream({ text: "SELECT 1, 2", rowMode: "array" }))).toEqual([[1, 2]]);
    await allBack();
  });

  it("holds no more than a part of a million rows", async () => {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    let count = 0;
    let most = 0;
    for await (const { n } of db.stream<N>(MANY, { batchSize: 1000 })) {
      count += 1;
      expect.soft(n === count).toBe(true);
      if (count % 50_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed);
    }
    expect(count).toBe(1_000_000);
    expect((most - before) / 1_048_576).toBeLessThan(150);
    await allBack();
  });

  it("reads on a replica as a query does, and sees its session's writes", async () => {
    const where = db.stream("SELECT inet_server_port() AS r", { access: "read", consistency: "eventual" });
    expect(await all(where)).toEqual([{ r: cluster.replicas[0]?.directPort }]);
    const primary = db.stream("SELECT inet_server_port() AS r", { consistency: "strong" });
    expect(await all(primary)).toEqual([{ r: cluster.primary.directPort }]);
    const session = db.session();
    for (let n = 0; n < 20; n += 1) {
      await session.executeMany("INSERT INTO kept VALUES ($1)", [[n]]);
      const seen = await all(session.stream("SELECT n FROM kept WHERE n = $1", [n]));
      expect(seen).toEqual([{ n }]);
    }
    await db.execute("DELETE FROM kept");
  });

  it("goes to the primary when a replica refuses what was taken for a read", async () => {
    await cluster.primary.query(
      `CREATE FUNCTION sly() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN
        EXECUTE 'INSERT INTO kept VALUES (1)'; RETURN 1; END $$`,
    );
    const rows = await all(
      db.stream("SELECT set_config('a.b', '1', false), txid_current() AS x", {
        access: "read",
        consistency: "eventual",
      }),
    );
    expect(rows).toHaveLength(1);
    await allBack();
  });

  it("gives its connection back when the loop is left: break, throw, return()", async () => {
    for await (const { n } of db.stream<N>(MANY)) if (n === 300) break;
    await allBack();
    const thrown = errorOf(
      (async () => {
        for await (const { n } of db.stream<N>(MANY)) if (n === 300) throw new Error("planted");
      })(),
    );
    expect((await thrown).message).toBe("planted");
    await allBack();
    const rows = db.stream<N>(MANY);
    await rows.next();
    await rows.return();
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    const never = db.stream<N>(MANY);
    await never.return();
    await allBack();
  });

  it("has its connection back as soon as its last part has been read", async () => {
    for await (const { n } of db.stream<N>("SELECT generate_series(1, 5) AS n", { batchSize: 10 })) {
      expect(n).toBeLessThan(6);
      expect(db.stats().active).toBe(0);
    }
  });

  it("ends with the signal's reason, whether it waits for rows or its reader does something else", async () => {
    for (const text of [MANY, "SELECT pg_sleep(60)", "SELECT n, pg_sleep(0.01) FROM generate_series(1, 100000) AS n"]) {
      const abort = new AbortController();
      const reason = new Error("enough");
      const rows = db.stream(text, { signal: abort.signal, batchSize: 100 });
      const reading = errorOf(
        (async () => {
          for await (const _ of rows) {
            abort.abort(reason);
            await delay(5);
          }
        })(),
      );
      if (text !== MANY) setTimeout(() => abort.abort(reason), 50);
      expect(await reading).toBe(reason);
      await allBack();
    }
    const aborted = db.stream(MANY, { signal: AbortSignal.abort(new Error("before")) });
    expect((await errorOf(aborted.next())).message).toBe("before");
  });

  it("bounds the wait for the first rows, not the reading", async () => {
    const error = await errorOf(db.stream("SELECT pg_sleep(60)", { timeoutMs: 100 }).next());
    expect(error.code).toBe("ERR_BREAKWATER_TIMEOUT");
    await allBack();
    let count = 0;
    // Its first rows come at once, and the reading takes longer than the limit.
    for await (const _ of db.stream("SELECT generate_series(1, 1000)", { timeoutMs: 2_000, batchSize: 1 })) {
      if (++count > 20) break;
      await delay(120);
    }
    expect(count).toBe(21);
    await allBack();
  });

  it("is taken from a reader that does not read on, where that is asked for", async () => {
    const rows = db.stream<N>(MANY, { maxIdleMs: 50, batchSize: 1 });
    await rows.next();
    await allBack();
    expect((await errorOf(rows.next())).code).toBe("ERR_BREAKWATER_TIMEOUT");
  });

  it("ends with an error, never early, when its connection or its statement fails on the way", async () => {
    const failing = db.stream<N>("SELECT 1 / (500 - n) AS n FROM generate_series(1, 1000) AS n", { batchSize: 100 });
    let count = 0;
    const reading = async (rows: AsyncIterable<N>, then: () => unknown): Promise<void> => {
      for await (const _ of rows) if (++count === 150) await then();
    };
    expect((await errorOf(reading(failing, () => undefined))).code).toBe("22012");
    expect(count).toBe(400);
    count = 0;
    const kill = (): unknown =>
      Promise.all(
        cluster.nodes.map((node) =>
          node.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"),
        ),
      );
    const lost = await errorOf(reading(db.stream<N>(MANY, { batchSize: 100 }), kill));
    expect(lost).toBeInstanceOf(Error);
    expect(count).toBeLessThan(400);
    await allBack();
  });

  it("is run again as a query is while nobody has had a row of it", async () => {
    const texts: string[] = [];
    const rows = db.stream<N>("SELECT n, pg_sleep(0.6) FROM generate_series(1, 2) AS n", { access: "read" });
    const reading = all(rows);
    await until("it to run", async () => {
      for (const node of cluster.nodes) {
        const killed = await node.query<{ query: string }>(
          `SELECT query, pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE wait_event = 'PgSleep' AND application_name = 'breakwater-test'`,
        );
        texts.push(...killed.map(({ query }) => query));
      }
      return texts.length > 0;
    });
    expect((await reading).map(({ n }) => n)).toEqual([1, 2]);
    await allBack();
  });

  it("commits what it writes when the loop ends or is left, and undoes it when it fails", async () => {
    const text = "INSERT INTO kept SELECT generate_series(1, 1000) RETURNING n";
    expect(await all(db.stream<N>(text))).toHaveLength(1000);
    for await (const _ of db.stream<N>(text)) break;
    await errorOf(
      all(db.stream("INSERT INTO kept SELECT 1 / (600 - n) FROM generate_series(1, 1000) AS n RETURNING n")),
    );
    expect(await db.value("SELECT count(*)::int FROM kept", { access: "write" })).toBe(2000);
    await db.execute("DELETE FROM kept");
  });

  it("goes beside others in one transaction, and beside its statements", async () => {
    await db.transaction(async (transaction) => {
      const two = transaction.stream<N>(MANY, { batchSize: 10 });
      let count = 0;
      for await (const { n } of transaction.stream<N>("SELECT generate_series(1, 100) AS n", { batchSize: 10 })) {
        expect((await two.next()).value?.n).toBe(n);
        if (n % 10 === 0) await transaction.query("INSERT INTO kept VALUES ($1)", [n]);
        count += 1;
      }
      expect(count).toBe(100);
      expect(await transaction.value("SELECT count(*)::int FROM kept")).toBe(10);
      for await (const _ of transaction.stream(MANY)) break;
      await two.return();
    });
    let left: AsyncGenerator<N> | undefined;
    await db.transaction(async (transaction) => {
      left = transaction.stream<N>(MANY, { batchSize: 1 });
      await left.next();
    });
    expect(await errorOf(left!.next())).toBeInstanceOf(UsageError);
    await allBack();
    await db.execute("DELETE FROM kept");
  });

  it("has a held connection to itself outside a transaction", async () => {
    const held = await db.connect();
    const rows = held.stream<N>(MANY, { batchSize: 10 });
    await rows.next();
    expect(await errorOf(held.query("SELECT 1"))).toBeInstanceOf(UsageError);
    expect(await errorOf(held.stream("SELECT 1").next())).toBeInstanceOf(UsageError);
    await rows.return();
    expect(await held.value("SELECT 1")).toBe(1);
    expect(await errorOf(all(held.stream("SELECT 1 / 0")))).toMatchObject({ code: "22012" });
    expect(await held.value("SELECT 1")).toBe(1);
    await held.query("BEGIN");
    for await (const { n } of held.stream<N>("SELECT generate_series(1, 30) AS n", { batchSize: 10 })) {
      expect(await held.value("SELECT $1::int", [n])).toBe(n);
    }
    await held.query("COMMIT");
    held.release();
    await allBack();
  });

  it("refuses options that there are not, and statements that are none", () => {
    expect(() => db.stream("SELECT 1", { batchSize: 0 })).toThrow(OptionError);
    expect(() => db.stream("SELECT 1", { maxIdleMs: -1 })).toThrow(OptionError);
    expect(() => db.stream("SELECT 1", { batch: 1 } as never)).toThrow(OptionError);
    expect(() => db.stream(7 as never)).toThrow(UsageError);
  });

  it("can be a Readable", async () => {
    const rows = await all(Readable.from(db.stream<N>("SELECT generate_series(1, 300) AS n")));
    expect(rows).toHaveLength(300);
    const left = Readable.from(db.stream<N>(MANY));
    await new Promise((resolve) => left.once("data", resolve));
    left.destroy();
    await allBack();
  });

  it("leaves nothing behind, 10,000 times, however it ends", { timeout: 120_000 }, async () => {
    const own = database(fromPg({ ...through(cluster.primary), max: 4 }, { acquireTimeoutMs: 100_000 }));
    const random = seededRandom(7);
    const one = async (): Promise<void> => {
      const kind = random();
      const abort = new AbortController();
      const rows = own.stream<N>(
        kind < 0.2
          ? "SELECT 1 / (20 - n) AS n FROM generate_series(1, 40) AS n"
          : "SELECT n FROM generate_series(1, 60) AS n",
        { batchSize: 10, signal: abort.signal },
      );
      try {
        for await (const { n } of rows) {
          if (kind > 0.9 && n === 3) abort.abort(new Error("enough"));
          if (kind > 0.6 && n === 15) break;
          if (kind > 0.5 && n === 25) throw new Error("planted");
        }
      } catch (error) {
        expect(String(error)).toMatch(/planted|division by zero|enough/);
      }
    };
    for (let done = 0; done < 10_000; done += 20) await Promise.all(Array.from({ length: 20 }, one));
    expect(own.stats()).toMatchObject({ active: 0, waiting: 0 });
    expect(own.stats().total).toBeLessThanOrEqual(4);
    const held = await own.connect();
    const client = held.driver as EventEmitter & {
      connection: EventEmitter;
    };
    for (const name of ["error", "end", "drain", "notification"]) expect(client.listenerCount(name)).toBeLessThan(3);
    expect(client.connection.listenerCount("readyForQuery")).toBeLessThan(4);
    held.release();
    await own.close();
  });
});
