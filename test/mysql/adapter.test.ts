import {
  type Connection,
  database,
  type Database,
  failureOf,
  type NodeState,
  operationContext,
  type Pool,
  type Reached,
  sql,
  type TransactionIdentity,
} from "@breakwater/core";
import { mysql } from "@breakwater/mysql";
import { fromMysql2, type FromMysql2Options, type Mysql2Result } from "@breakwater/mysql2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";
import { type MariaCluster, startMariaCluster } from "./support/cluster.ts";
import { SKIPPED, WHY_NOT } from "./support/server.ts";

describe.skipIf(WHY_NOT)(`mysql2 on MariaDB${SKIPPED}`, () => {
  let cluster: MariaCluster;
  let db: Database;
  const pools: Pool[] = [];
  const admin = (text: string): Promise<Record<string, unknown>[]> => cluster.primary.server.ask("app", text);
  const open = (options: FromMysql2Options = {}): Database => {
    const pool = fromMysql2(cluster.primary.config, { max: 1, ...options });
    pools.push(pool);
    return database(pool);
  };
  const ids = async (): Promise<unknown[]> => (await admin("SELECT id FROM t ORDER BY id")).map(({ id }) => id);
  /** Asks on a connection of a pool, as the router and the resolver do. */
  const on = <T>(pool: Pool, run: (connection: Connection) => Promise<T>): Promise<T> =>
    pool.execute({ ...operationContext("read"), kind: "session", run });

  const probe = (connection: Connection): Promise<NodeState> => mysql.probe(connection);

  beforeAll(async () => {
    cluster = await startMariaCluster();
    await admin("CREATE TABLE t (id int PRIMARY KEY, note text)");
    db = open({ max: 4 });
  });
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.close({ drainMs: 0 })));
    await cluster.close();
  });

  describe("a transaction that the server has rolled back", () => {
    it("commits nothing of what its function does afterwards", async () => {
      await admin("DELETE FROM t; INSERT INTO t VALUES (1, ''), (2, '')");
      const barrier = Promise.withResolvers<void>();
      let arrived = 0;
      const arrive = (): Promise<void> => {
        if (++arrived === 2) barrier.resolve();
        return barrier.promise;
      };
      let refused = 0;
      const side = (mine: number, other: number): Promise<unknown> =>
        db.transaction(async (tx) => {
          await tx.query("UPDATE t SET note = 'mine' WHERE id = ?", [mine]);
          await arrive();
          try {
            await tx.query("UPDATE t SET note = 'other' WHERE id = ?", [other]);
          } catch {
            // Against all advice it goes on.
            const error = await errorOf(tx.query("INSERT INTO t VALUES (?, 'left')", [100 + mine]));
            expect(failureOf(error)).toMatchObject({ effect: "none", retry: "never" });
            refused += 1;
          }
        });
      const sides = await Promise.allSettled([side(1, 2), side(2, 1)]);
      const failed = sides.flatMap((one) => (one.status === "rejected" ? [one.reason as Error] : []));
      expect([failed.length, refused]).toEqual([1, 1]);
      expect(failed[0]).toMatchObject({ code: "ERR_BREAKWATER_ROLLED_BACK" });
      expect(failureOf(failed[0])).toMatchObject({ retry: "transaction", effect: "none" });
      expect(await ids()).toEqual([1, 2]);
    });
  });

  describe("the state of a transaction", () => {
    it("is known where a procedure begins one and then fails", async () => {
      await admin(
        "DELETE FROM t; CREATE PROCEDURE half() BEGIN START TRANSACTION; INSERT INTO t (id) VALUES (5); SELECT * FROM nowhere; END",
      );
      const one = open();
      expect(failureOf(await errorOf(one.query("CALL half()"))).effect).toBe("none");
      await one.query("INSERT INTO t (id) VALUES (6)");
      expect(await ids()).toEqual([6]);
    });

    it("is known where the driver's own connection has begun one, and while it works", async () => {
      await admin("DELETE FROM t");
      const one = open();
      for (const wait of [true, false]) {
        const held = await one.connect();
        const { driver } = held as { driver: { query(sql: string, done: () => void): void } };
        const ask = (text: string): Promise<void> => new Promise((resolve) => driver.query(text, resolve));
        await ask("START TRANSACTION");
        const last = ask("INSERT INTO t (id) VALUES (8)");
        if (wait) await last;
        held.release();
        await one.query("INSERT INTO t (id) VALUES (?)", [wait ? 9 : 10]);
      }
      expect(await ids()).toEqual([9, 10]);
    });

    it("is known behind rows, where statements are not committed by themselves", async () => {
      await admin("DELETE FROM t");
      const one = open();
      const held = await one.connect();
      await held.query("SET autocommit = 0");
      expect((await held.query("INSERT INTO t (id) VALUES (7) RETURNING id")).rows).toEqual([{ id: 7 }]);
      held.release();
      await one.query("SET autocommit = 1");
      expect(await ids()).toEqual([]);
    });
  });

  describe("values", () => {
    it.each([true, false])("never change what a statement means; prepared: %s", async (prepare) => {
      const one = open({ prepare });
      await admin("DELETE FROM t; INSERT INTO t VALUES (1, 'a'), (2, 'b')");
      expect((await one.query("SELECT id FROM t WHERE note = ?", [{ note: 1 }])).rows).toEqual([]);
      const quoted = "' OR '1'='1";
      expect((await one.query("SELECT id FROM t WHERE note = ?", [quoted])).rows).toEqual([]);
      await one.query("UPDATE t SET note = ? WHERE id = ?", [{ a: [1, quoted] }, 1]);
      expect((await one.query("SELECT note FROM t WHERE id = 1")).rows).toEqual([
        { note: JSON.stringify({ a: [1, quoted] }) },
      ]);
      const when = new Date("2026-01-02T03:04:05Z");
      const [row] = (await one.query("SELECT ? AS d, ? AS n, ? AS b", [when, null, Buffer.from([0, 255])])).rows;
      expect([row?.["n"], row?.["b"]]).toEqual([null, Buffer.from([0, 255])]);
    });

    it("are safe whatever the server takes backslashes for", async () => {
      const one = open({
        onConnect: (made) => made.query("SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')"),
      });
      await admin("DELETE FROM t; INSERT INTO t VALUES (1, 'a')");
      expect((await one.query("SELECT id FROM t WHERE note = ?", ["\\' OR 1 = 1 -- "])).rows).toEqual([]);
    });

    it("stand in templates, and so do names and lists", async () => {
      await admin("DELETE FROM t");
      await db.query(
        sql`INSERT INTO ${sql.identifier("app", "t")} (id, note) VALUES ${sql.rows([
          [1, "x"],
          [2, "y"],
        ])}`,
      );
      const { rows } = await db.query(
        sql`SELECT ${sql.identifier("id")} FROM t WHERE id IN (${sql.join([1, 2, 3])}) LIMIT ${5}`,
      );
      expect(rows).toEqual([{ id: 1 }, { id: 2 }]);
    });
  });

  it("tells what AUTO_INCREMENT gave, and reads the answers of procedures", async () => {
    await admin(
      "CREATE TABLE numbered (id int PRIMARY KEY AUTO_INCREMENT); CREATE PROCEDURE one() SELECT 1 AS a; CREATE PROCEDURE two() BEGIN SELECT 1 AS a; SELECT 2 AS b; END",
    );
    expect(((await db.query("INSERT INTO numbered VALUES ()")) as Mysql2Result).insertId).toBe(1);
    expect((await db.query("CALL one()")).rows).toEqual([{ a: 1 }]);
    const both = (await db.query("CALL two()")) as unknown as Mysql2Result[];
    expect(both.map(({ rows }) => rows)).toEqual([[{ a: 1 }], [{ b: 2 }]]);
  });

  it("begins transactions as they are asked for", async () => {
    const level = (): Promise<string> =>
      admin("SELECT trx_isolation_level AS level FROM information_schema.INNODB_TRX").then(([row]) =>
        String(row?.["level"]),
      );
    await admin("DELETE FROM t; INSERT INTO t VALUES (1, 'a')");
    for (const isolation of ["read uncommitted", "read committed", "repeatable read", "serializable"] as const)
      await db.transaction(
        async (tx) => {
          await tx.query("SELECT * FROM t");
          // The server keeps the view until it has not been read for a moment.
          await expect.poll(level, { interval: 200 }).toBe(isolation.toUpperCase());
        },
        { isolation, readOnly: false },
      );
    expect(
      failureOf(await errorOf(db.transaction(() => Promise.resolve(), { isolation: "none" as never }))).retry,
    ).toBe("never");
  });

  describe("a probe", () => {
    it("tells roles and places, also of a replica that may be written to", async () => {
      const replica = fromMysql2(cluster.replicas[0]!.config);
      pools.push(replica);
      await cluster.caughtUp(cluster.replicas[0]!);
      const [first, second] = [await on(db.pool, probe), await on(replica, probe)];
      expect(first).toEqual({ role: "primary", systemId: undefined, timeline: 0, position: second.position });
      expect(second).toMatchObject({ role: "replica", timeline: 0 });
      await cluster.replicas[0]!.server.query("SET GLOBAL read_only = 0");
      expect((await on(replica, probe)).role).toBe("replica");
      await cluster.replicas[0]!.server.query("SET GLOBAL read_only = 1");
    });

    it("lets a replica wait until it has a position, or until the time is over", async () => {
      const [{ server }] = cluster.replicas as [(typeof cluster.replicas)[0]];
      const replica = fromMysql2(cluster.replicas[0]!.config);
      pools.push(replica);
      const reach = (position: bigint, waitMs: number): Promise<Reached> =>
        on(replica, (held) => mysql.reach!(held, position, waitMs));
      await admin("DELETE FROM t");
      await cluster.caughtUp(cluster.replicas[0]!);
      const { position } = await on(db.pool, probe);
      const now = { role: "replica", timeline: 0, position };
      expect(await reach(position!, 20_000)).toMatchObject({ state: now, waited: true });
      expect(await reach(position! + 1n, 1)).toMatchObject({ state: now, waited: true });
      await server.query("STOP SLAVE SQL_THREAD");
      await db.query("INSERT INTO t (id) VALUES (1)");
      const reached = reach(position! + 1n, 20_000);
      await until("the replica to wait", async () => {
        const waiting = await server.query(
          "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE '%MASTER_GTID_WAIT%' AND ID <> CONNECTION_ID()",
        );
        return waiting.length > 0;
      });
      await server.query("START SLAVE SQL_THREAD");
      expect(await reached).toMatchObject({ state: { ...now, position: position! + 1n }, waited: true });
    });

    it("asks a server that has replicated nothing, without waiting", async () => {
      const reached = await on(db.pool, (held) => mysql.reach!(held, 1_000_000n, 20_000));
      expect(reached).toMatchObject({ state: { role: "primary" }, waited: false });
    });
  });

  describe("a transaction whose answer is lost", () => {
    const { resolution } = mysql;
    const identity = async (held: Connection): Promise<TransactionIdentity> => {
      const incarnation = await resolution!.incarnation(held);
      const known = resolution!.identity({ rows: [], rowCount: 0, command: "", fields: [] }, incarnation, held);
      return { ...known!, node: "n" };
    };

    it("is known to run as long as its connection does, and can be ended", async () => {
      const one = open();
      let ended: unknown;
      await on(one.pool, async (held) => {
        const transaction = await identity(held);
        await held.query({ text: "START TRANSACTION" });
        await on(db.pool, async (other) => {
          expect(await resolution!.outcome(other, transaction)).toBe("in-progress");
          await resolution!.end(other, transaction);
          await expect.poll(() => resolution!.outcome(other, transaction)).toBe("unprovable");
          // Nobody else is hit when it has ended.
          await resolution!.end(other, transaction);
        });
        ended = await errorOf(held.query({ text: "SELECT 1" }));
      });
      expect(ended).toBeDefined();
    });

    it("is not asked for by the name of a session that has been reset", async () => {
      const one = open({ resetOnRelease: "discard-all" });
      const first = await on(one.pool, identity);
      const second = await on(one.pool, identity);
      expect(second.processId).toBe(first.processId);
      expect(second.id).not.toBe(first.id);
      await on(db.pool, async (other) => expect(await resolution!.outcome(other, first)).toBe("unprovable"));
    });
  });
});

describe("fromMysql2", () => {
  it.each([
    ["postgres://host/db", "source"],
    ["", "source"],
    [7, "source"],
    [{ port: 0 }, "source.port"],
    [{ uri: "host" }, "source.uri"],
    [{ connectionLimit: 0 }, "source.connectionLimit"],
    [{ queueLimit: -1 }, "source.queueLimit"],
    [{ query: () => undefined }, "source"],
  ])("refuses %j", (source, option) => {
    expect(() => fromMysql2(source as never)).toThrow(
      expect.objectContaining({ code: "ERR_BREAKWATER_OPTION", option }),
    );
  });

  it("refuses options that it does not know, or that are out of range", () => {
    expect(() => fromMysql2({}, { prepared: true } as never)).toThrow(RangeError);
    expect(() => fromMysql2({}, { prepare: 1 as never })).toThrow(RangeError);
    expect(() => fromMysql2({}, { max: 0 })).toThrow(RangeError);
  });

  it("is called by where it leads, without a password", () => {
    expect(fromMysql2("mysql://user:secret@db.example:3307/app").name).toBe("db.example:3307/app");
    expect(fromMysql2({ socketPath: "/run/s", database: "app", password: "secret" }).name).toBe("/run/s/app");
    expect(fromMysql2({}).name).toBe("localhost:3306/");
  });
});
