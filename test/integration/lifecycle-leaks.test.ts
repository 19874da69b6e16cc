import { type Cluster, startCluster } from "@breakwater/chaos";
import { database, type Database, failureOf, seededRandom } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { heldBytes } from "../support/heap.ts";
import { errorOf, until } from "../support/wait.ts";

// What 10,000 operations leave behind, well and badly done, on connections that come and go all the while.

let cluster: Cluster;
const APPLICATION = "lifecycle-leaks";
const OPERATIONS = 10_000;

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
const listeners = ({ driver }: { readonly driver: unknown }): number => {
  const client = driver as pg.Client & { readonly connection: NodeJS.EventEmitter };
  return [client as unknown as NodeJS.EventEmitter, client.connection].reduce(
    (sum, emitter) => sum + emitter.eventNames().reduce((of, name) => of + emitter.listenerCount(name), 0),
    0,
  );
};

type Deed = (db: Database, dice: () => number) => Promise<unknown>;

const DEEDS: readonly Deed[] = [
  (db) => db.query("SELECT $1::int", [1]),
  (db) => db.query({ name: "named", text: "SELECT $1::int" }, [1]),
  (db) => db.query("SELECT 1 / 0"),
  (db) => db.query("no statement"),
  (db) => db.query("SELECT pg_sleep(0.05)", { timeoutMs: 5, access: "read" }),
  (db, dice) => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("left")), dice() * 5);
    return db.query("SELECT pg_sleep(0.01)", { signal: abort.signal, access: "read" });
  },
  (db) => db.transaction((tx) => tx.query("SELECT 1")),
  (db) =>
    db.transaction(async (tx) => {
      await tx.query("SELECT 1");
      throw new Error("mine");
    }),
  async (db) => {
    const held = await db.connect();
    await held.query("BEGIN");
    await held.query("SET LOCAL lifecycle.mark = 'left'");
    held.release();
  },
  async (db) => (await db.connect()).destroy(),
  (db, dice) => (dice() < 0.1 ? db.query("SELECT pg_terminate_backend(pg_backend_pid())") : db.query("SELECT 2")),
  async (db, dice) => {
    if (dice() < 0.2) db.resize({ max: 3 + Math.floor(dice() * 6) });
    await db.query("SELECT 3");
  },
  async (db, dice) => {
    if (dice() < 0.02) db.pool.interrupt(new Error("the node is lost"));
    await db.query("SELECT 4");
  },
];

describe("10,000 operations", () => {
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
  });
  afterAll(() => cluster.close());

  it("leave no connection, listener, timer or memory behind, and every error says what it means", async () => {
    const source = {
      host: "127.0.0.1",
      port: cluster.primary.directPort,
      user: "postgres",
      database: "postgres",
      application_name: APPLICATION,
    };
    const seed = Date.now() % 100_000;
    const dice = seededRandom(seed);
    const db = database(
      fromPg(source, {
        max: 6,
        min: 2,
        maxUses: 40,
        maxLifetimeMs: 2_000,
        idleTimeoutMs: 100,
        validateAfterIdleMs: 5,
        validateIntervalMs: 50,
        resetOnRelease: "discard-all",
        onConnect: (connection) => connection.query("SET lifecycle.mark = 'prepared'"),
      }),
    );
    await db.ready();
    const first = await db.connect();
    const listenersBefore = listeners(first);
    first.release();
    const timersBefore = timers();
    const unknown = new Set<unknown>();
    const run = async (count: number): Promise<void> => {
      let left = count;
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          while (left-- > 0) {
            const deed = DEEDS[Math.floor(dice() * DEEDS.length)]!;
            await deed(db, dice).catch((error: unknown) => {
              if (error instanceof TypeError || failureOf(error).effect === undefined) unknown.add(error);
            });
          }
        }),
      );
      await until(`all to be over (seed ${seed})`, () => db.stats().active === 0 && db.stats().waiting === 0);
    };
    await run(OPERATIONS / 5);
    const memoryBefore = await heldBytes();
    await run((OPERATIONS * 4) / 5);
    expect([...unknown]).toEqual([]);
    const marked = await db.query("SELECT current_setting('lifecycle.mark') AS mark");
    expect(marked.rows).toEqual([{ mark: "prepared" }]);
    await until("min to be what is left", () => db.stats().total === 2 && db.stats().idle === 2);
    const held = await db.connect();
    expect(listeners(held)).toBe(listenersBefore);
    held.release();
    await until("no timer to be left of a call", () => timers() <= timersBefore + 2);
    // 8,000 calls: less than 400 bytes each, which is less than a closure with its promise.
    expect((await heldBytes()) - memoryBefore).toBeLessThan(3_200_000);
    expect(await errorOf(db.query("SELECT 1 / 0"))).toMatchObject({ code: "22012" });
    await db.close();
    expect(db.stats()).toMatchObject({ total: 0, idle: 0, active: 0, waiting: 0, connecting: 0 });
    const { opened, closed } = db.stats().metrics.connections;
    expect(closed).toBe(opened);
    await until("no connection to be left at the server", async () => {
      const rows = await cluster.primary.query("SELECT 1 FROM pg_stat_activity WHERE application_name = $1", [
        APPLICATION,
      ]);
      return rows.length === 0;
    });
    await until("no socket to be left", () => sockets() === 0);
  });
});
