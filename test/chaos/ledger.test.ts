import { type Cluster, startCluster } from "@breakwater/chaos";
import type { Database } from "@breakwater/core";
import { ledgerSweepSql, ledgerTableSql } from "@breakwater/policies";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noConnectionLeft, stackOn } from "../support/database.ts";
import { errorOf, until } from "../support/wait.ts";

describe("the ledger", () => {
  let cluster: Cluster;
  let db: Database;
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    await cluster.primary
      .query(`CREATE SCHEMA own; CREATE TABLE orders (id serial, what text, at timestamptz DEFAULT now());
      ${ledgerTableSql("own.ledger")}`);
    db = stackOn(cluster, { commitResolution: { ledger: "own.ledger" } });
  });
  beforeEach(() => cluster.primary.query("TRUNCATE orders; TRUNCATE own.ledger"));
  afterAll(async () => {
    await db.close();
    await noConnectionLeft(cluster);
    await cluster.close();
  });

  const orders = async (): Promise<number> => (await cluster.primary.query("SELECT FROM orders")).length;
  const INSERT = "INSERT INTO orders (what) VALUES ($1) RETURNING id, at";

  it("gives a later call under the same key the first outcome, and does nothing", async () => {
    const idempotencyKey = "order 1";
    const first = await db.query(INSERT, ["book"], { idempotencyKey });
    const second = await db.query(INSERT, ["book"], { idempotencyKey });
    expect(await orders()).toBe(1);
    // What JSON makes of it: a date is a text now; of the driver's result only what any driver has.
    const { rows, rowCount, command } = first;
    const fields = first.fields.map(({ name, dataTypeID }) => ({ name, dataTypeID }));
    expect(second).toStrictEqual(JSON.parse(JSON.stringify({ rows, rowCount, command, fields })));
    expect(Object.keys(second)).toStrictEqual(["rows", "rowCount", "command", "fields"]);
  });

  it.each([undefined, null, 0, "", { b: 1, a: [null, "\u0000"] }, "text"])("keeps %j as it is", async (value) => {
    const options = { idempotencyKey: "value" };
    await db.transaction(() => Promise.resolve(value), options);
    const again = await db.transaction(() => Promise.resolve("another" as unknown), options);
    expect(again).toStrictEqual(value);
    expect(JSON.stringify(again)).toBe(JSON.stringify(value));
  });

  it("rolls back what it could not answer for later", async () => {
    const work = db.transaction(
      async (tx) => {
        await tx.query(INSERT, ["x"]);
        return 1n;
      },
      { idempotencyKey: "big" },
    );
    expect(await errorOf(work)).toBeInstanceOf(TypeError);
    expect(await orders()).toBe(0);
  });

  it.each(["read committed", "repeatable read", "serializable"] as const)(
    "lets one of many callers at a time do it, at %s, and gives all the same",
    async (isolation) => {
      let runs = 0;
      const calls = Array.from({ length: 8 }, () =>
        db.transaction(
          async (tx) => {
            runs += 1;
            return (await tx.query<{ id: number }>(INSERT, ["one"])).rows[0]?.id;
          },
          { isolation, idempotencyKey: `many ${isolation}` },
        ),
      );
      const ids = await Promise.all(calls);
      expect(new Set(ids).size).toBe(1);
      expect([await orders(), runs]).toStrictEqual([1, 1]);
    },
  );

  it("lets the next caller do what the first one failed to", async () => {
    const options = { idempotencyKey: "second go" };
    const failed = db.transaction(async (tx) => {
      await tx.query(INSERT, ["x"]);
      throw new Error("no");
    }, options);
    expect((await errorOf(failed)).message).toBe("no");
    await db.query(INSERT, ["x"], options);
    expect(await orders()).toBe(1);
  });

  it("runs no hook for what was not done again", async () => {
    const hooks: string[] = [];
    const work = (name: string): Promise<string> =>
      db.transaction(
        async (tx) => {
          tx.afterCommit(() => hooks.push(name));
          await tx.query(INSERT, [name]);
          return name;
        },
        { idempotencyKey: "hooks" },
      );
    expect([await work("first"), await work("second")]).toStrictEqual(["first", "first"]);
    expect(hooks).toStrictEqual(["first"]);
  });

  it("keeps a row for every write that says exactlyOnce, which is swept when it is old", async () => {
    await db.query(INSERT, ["x"], { exactlyOnce: true });
    await db.transaction((tx) => tx.query(INSERT, ["y"]));
    const rows = (): Promise<unknown[]> => cluster.primary.query("SELECT FROM own.ledger");
    expect(await rows()).toHaveLength(2);
    await db.query(ledgerSweepSql(3_600, "own.ledger"));
    expect(await rows()).toHaveLength(2);
    await cluster.primary.query("UPDATE own.ledger SET written_at = now() - interval '2 hours'");
    await db.query(ledgerSweepSql(3_600, "own.ledger"), [], { exactlyOnce: false });
    expect(await rows()).toHaveLength(0);
  });

  it("refuses a key for a statement that commits by itself, and a key without a ledger", async () => {
    const error = await errorOf(db.query("BEGIN; SELECT 1; COMMIT", { idempotencyKey: "x", access: "write" }));
    expect(error.code).toBe("ERR_BREAKWATER_USAGE");
    const without = stackOn(cluster);
    expect((await errorOf(without.query(INSERT, ["x"], { idempotencyKey: "x" }))).code).toBe("ERR_BREAKWATER_USAGE");
    await without.close();
  });

  it("is not needed for statements that cannot be in a transaction: they are sent as they are", async () => {
    await cluster.primary.query(
      "CREATE PROCEDURE two() LANGUAGE plpgsql AS $$ BEGIN COMMIT; INSERT INTO orders (what) VALUES ('p'); END $$",
    );
    for (const text of ["VACUUM orders", "CALL two()", "BEGIN; INSERT INTO orders (what) VALUES ('b'); COMMIT"]) {
      await db.query(text, { exactlyOnce: true, access: "write" });
    }
    expect(await orders()).toBe(2);
    using fault = cluster.primary.proxy.dropReply({ to: /^BEGIN; INSERT INTO orders/, times: 1 });
    const text = "BEGIN; INSERT INTO orders (what) VALUES ('b'); COMMIT";
    const error = await errorOf(db.query(text, { exactlyOnce: true, access: "write" }));
    expect([error.code, fault.hits]).toStrictEqual(["ERR_BREAKWATER_OUTCOME_UNKNOWN", 1]);
    await until("the row to be there, once", async () => (await orders()) === 3);
  });
});
