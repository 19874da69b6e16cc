import { type Cluster, startCluster } from "@breakwater/chaos";
import { type Database, RolledBackError, type Transaction } from "@breakwater/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noConnectionLeft, stackOn } from "../support/database.ts";
import { errorOf, until } from "../support/wait.ts";

describe("transactions", () => {
  let cluster: Cluster;
  let db: Database;
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1 });
    await cluster.primary.query(`CREATE TABLE numbers (id int PRIMARY KEY, n int);
      CREATE TABLE later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)`);
    db = stackOn(cluster);
  });
  beforeEach(() => cluster.primary.query("TRUNCATE numbers, later; INSERT INTO numbers VALUES (1, 0), (2, 0)"));
  afterAll(async () => {
    await db.close();
    await noConnectionLeft(cluster);
    await cluster.close();
  });

  const setting = async (tx: Transaction, name: string): Promise<unknown> =>
    (await tx.query<{ value: string }>("SELECT current_setting($1) AS value", [name])).rows[0]?.value;
  const n = async (id: number): Promise<unknown> =>
    (await cluster.primary.query<{ n: number }>("SELECT n FROM numbers WHERE id = $1", [id]))[0]?.n;

  it.each(["read uncommitted", "read committed", "repeatable read", "serializable"] as const)(
    "run at isolation %s",
    async (isolation) => {
      const level = await db.transaction((tx) => setting(tx, "transaction_isolation"), { isolation });
      expect(level).toBe(isolation);
    },
  );

  it("that only read say so to the server, may run on a replica, and may be deferrable", async () => {
    const inRecovery = await db.transaction(
      async (tx) => (await tx.query<{ there: boolean }>("SELECT pg_is_in_recovery() AS there")).rows[0]?.there,
      { readOnly: true, consistency: "eventual" },
    );
    expect(inRecovery).toBe(true);
    const options = { readOnly: true, deferrable: true, isolation: "serializable", consistency: "strong" } as const;
    const settings = await db.transaction(
      async (tx) => [await setting(tx, "transaction_read_only"), await setting(tx, "transaction_deferrable")],
      options,
    );
    expect(settings).toStrictEqual(["on", "on"]);
  });

  it("that write against their own word fail, and cost nobody else anything", async () => {
    const interrupted: unknown[] = [];
    const stop = db.on("pool:interrupted", (event) => interrupted.push(event));
    const bystander = db.query("SELECT pg_sleep(0.3)", { access: "write" });
    const write = db.transaction((tx) => tx.query("UPDATE numbers SET n = 1"), { readOnly: true, timeoutMs: 3_000 });
    expect((await errorOf(write)).code).toBe("25006");
    expect((await bystander).rowCount).toBe(1);
    expect(interrupted).toStrictEqual([]);
    stop();
  });

  it("undo a part that fails, and go on", async () => {
    await db.transaction(async (tx) => {
      await tx.query("UPDATE numbers SET n = 1 WHERE id = 1");
      await errorOf(
        tx.transaction(async (part) => {
          await part.query("UPDATE numbers SET n = 9 WHERE id = 1");
          await part.transaction((deeper) => deeper.query("UPDATE numbers SET n = 9 WHERE id = 2"));
          await part.query("SELECT 1 / 0");
        }),
      );
      await tx.transaction((part) => part.query("UPDATE numbers SET n = 2 WHERE id = 2"));
    });
    expect([await n(1), await n(2)]).toStrictEqual([1, 2]);
  });

  it("are run again as a whole after a serialization failure, and see which attempt it is", async () => {
    const attempts: number[] = [];
    const hooks: number[] = [];
    let meet = (): void => undefined;
    const both = new Promise<void>((resolve) => (meet = resolve));
    let arrived = 0;
    const increment = (): Promise<void> =>
      db.transaction(
        async (tx) => {
          attempts.push(tx.attempt);
          tx.afterCommit(() => hooks.push(tx.attempt));
          const { rows } = await tx.query<{ n: number }>("SELECT n FROM numbers WHERE id = 1");
          arrived += 1;
          if (arrived === 2) meet();
          await both;
          await tx.query("UPDATE numbers SET n = $1 WHERE id = 1", [(rows[0]?.n ?? 0) + 1]);
        },
        { isolation: "repeatable read" },
      );
    await Promise.all([increment(), increment()]);
    expect(attempts.toSorted((a, b) => a - b)).toStrictEqual([1, 1, 2]);
    expect(hooks.toSorted((a, b) => a - b)).toStrictEqual([1, 2]);
    expect(await n(1)).toBe(2);
  });

  it("are run again as a whole after a deadlock", async () => {
    const attempts: number[] = [];
    let meet = (): void => undefined;
    const both = new Promise<void>((resolve) => (meet = resolve));
    let arrived = 0;
    const crossing = (first: number, second: number): Promise<void> =>
      db.transaction(async (tx) => {
        attempts.push(tx.attempt);
        await tx.query("UPDATE numbers SET n = n + 1 WHERE id = $1", [first]);
        arrived += 1;
        if (arrived === 2) meet();
        await both;
        await tx.query("UPDATE numbers SET n = n + 1 WHERE id = $1", [second]);
      });
    await Promise.all([crossing(1, 2), crossing(2, 1)]);
    expect(attempts.toSorted((a, b) => a - b)).toStrictEqual([1, 1, 2]);
    expect([await n(1), await n(2)]).toStrictEqual([2, 2]);
  });

  it("are run again as a whole when the link is lost before COMMIT", async () => {
    using cut = cluster.primary.proxy.cutBefore({ to: /n \+ 5/, times: 1 });
    const attempts: number[] = [];
    await db.transaction(async (tx) => {
      attempts.push(tx.attempt);
      await tx.query("UPDATE numbers SET n = n + 1 WHERE id = 1");
      await tx.query("UPDATE numbers SET n = n + 5 WHERE id = 1");
    });
    expect(cut.hits).toBe(1);
    expect(attempts).toStrictEqual([1, 2]);
    expect(await n(1)).toBe(6);
  });

  it("refuse a statement after their end, and run no hook for what was rolled back", async () => {
    const hooks: string[] = [];
    const kept: Transaction[] = [];
    await db.transaction((tx) => {
      kept.push(tx);
      return tx.query("SELECT 1");
    });
    expect((await errorOf(kept[0]!.query("SELECT 1"))).code).toBe("ERR_BREAKWATER_USAGE");
    await errorOf(
      db.transaction(async (tx) => {
        tx.afterCommit(() => hooks.push("thrown"));
        await tx.query("UPDATE numbers SET n = 7");
        throw new Error("no");
      }),
    );
    const deferred = db.transaction(async (tx) => {
      tx.afterCommit(() => hooks.push("refused at COMMIT"));
      await tx.query("INSERT INTO later VALUES (1), (1)");
    });
    expect((await errorOf(deferred)).code).toBe("23505");
    const failed = db.transaction(async (tx) => {
      tx.afterCommit(() => hooks.push("answered with ROLLBACK"));
      await errorOf(tx.query("SELECT 1 / 0"));
    });
    expect(await errorOf(failed)).toBeInstanceOf(RolledBackError);
    expect(hooks).toStrictEqual([]);
    expect(await n(1)).toBe(0);
  });

  it("are not left behind by a deadline: the server has ended them when the next call comes", async () => {
    const error = await errorOf(
      db.transaction(
        async (tx) => {
          await tx.query("UPDATE numbers SET n = 3 WHERE id = 1");
          await tx.query("SELECT pg_sleep(60)");
        },
        { timeoutMs: 100 },
      ),
    );
    expect(error.code).toBe("ERR_BREAKWATER_TIMEOUT");
    await until("the server to have ended it", async () => {
      const open = "SELECT FROM pg_stat_activity WHERE application_name = 'breakwater-test' AND xact_start IS NOT NULL";
      return (await cluster.primary.query(open)).length === 0;
    });
    expect(await n(1)).toBe(0);
  });

  it("that the function ended by hand are not run again", async () => {
    using fault = cluster.primary.proxy.dropReply({ to: /^commit -- by hand/i, times: 1 });
    await errorOf(
      db.transaction(async (tx) => {
        await tx.query("UPDATE numbers SET n = n + 1 WHERE id = 1");
        await tx.query("COMMIT -- by hand");
      }),
    );
    expect(fault.hits).toBe(1);
    expect(await n(1)).toBe(1);
  });
});
