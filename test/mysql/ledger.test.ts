import type { Database } from "@breakwater/core";
import { ledgerSweepSql, ledgerTableSql } from "@breakwater/policies";
import { mysql } from "@breakwater/mysql";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";
import { type MariaCluster, startMariaCluster } from "./support/cluster.ts";
import { SKIPPED, WHY_NOT } from "./support/server.ts";
import { noConnectionLeft, stackOn } from "./support/stack.ts";

const INSERT = "INSERT INTO orders (what) VALUES (?)";

describe.skipIf(WHY_NOT)(`the ledger on MariaDB${SKIPPED}`, () => {
  let cluster: MariaCluster;
  let db: Database;
  const admin = (text: string): Promise<Record<string, unknown>[]> => cluster.primary.server.ask("app", text);
  const orders = async (): Promise<number> => (await admin("SELECT 1 FROM orders")).length;

  beforeAll(async () => {
    cluster = await startMariaCluster({ semiSync: true });
    await admin(`CREATE TABLE orders (id int PRIMARY KEY AUTO_INCREMENT, what varchar(100));
      ${ledgerTableSql("app.ledger", mysql)}`);
    db = stackOn(cluster, { commitResolution: { ledger: "app.ledger", graceMs: 200 } });
  });
  beforeEach(() => admin("DELETE FROM orders; DELETE FROM ledger"));
  afterAll(async () => {
    await db.close();
    await noConnectionLeft(cluster);
    await cluster.close();
  });

  it("gives a later call under the same key the first outcome, and does nothing", async () => {
    const idempotencyKey = `order ${"x".repeat(1_000)}`;
    const first = await db.query(INSERT, ["book"], { idempotencyKey });
    const second = await db.query(INSERT, ["book"], { idempotencyKey });
    expect(await orders()).toBe(1);
    expect(second).toEqual(
      JSON.parse(JSON.stringify({ rows: first.rows, rowCount: 1, command: "INSERT", fields: [] })),
    );
    await db.query(INSERT, ["book"], { idempotencyKey: idempotencyKey.toUpperCase() });
    expect(await orders()).toBe(2);
  });

  it.each([undefined, null, 0, "", { b: 1, a: [null, "\u0000é😀"] }, "text"])("keeps %j as it is", async (value) => {
    const options = { idempotencyKey: "value" };
    await db.transaction(() => Promise.resolve(value), options);
    expect(await db.transaction(() => Promise.resolve("another" as unknown), options)).toStrictEqual(value);
  });

  it.each(["read committed", "repeatable read", "serializable"] as const)(
    "lets one of many callers at a time do it, at %s, and gives all the same",
    async (isolation) => {
      const calls = Array.from({ length: 8 }, (_, at) =>
        db.transaction(
          async (tx) => {
            await tx.query(INSERT, ["one"]);
            return at;
          },
          { isolation, idempotencyKey: `many ${isolation}` },
        ),
      );
      expect(new Set(await Promise.all(calls)).size).toBe(1);
      expect(await orders()).toBe(1);
    },
  );

  it("waits for a COMMIT that still waits at the server, and knows what became of it", async () => {
    const replica = cluster.replicas[0]!;
    await replica.server.query("STOP SLAVE IO_THREAD");
    const told: string[] = [];
    const off = db.on("commit-resolution:resolved", ({ outcome, by }) => told.push(`${outcome} by ${by}`));
    const call = db.transaction((tx) => tx.query(INSERT, ["waits"]));
    await until("COMMIT to wait for the replica", async () => {
      const waiting = await admin(
        "SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'app' AND STATE LIKE 'Waiting for semi-sync ACK%'",
      );
      return waiting.length > 0;
    });
    // To others it is not there yet.
    expect(await orders()).toBe(0);
    cluster.primary.proxy.cutAll("reset");
    await replica.server.query("START SLAVE IO_THREAD");
    expect((await call).rowCount).toBe(1);
    expect(await orders()).toBe(1);
    expect(told).toEqual(["committed by ledger"]);
    off();
  });

  it("knows that a COMMIT never arrived, and runs the transaction again", async () => {
    const told: string[] = [];
    const off = db.on("commit-resolution:resolved", ({ outcome, by }) => told.push(`${outcome} by ${by}`));
    const { proxy } = cluster.primary;
    let attempts = 0;
    const call = db.transaction(
      async (tx) => {
        attempts += 1;
        await tx.query(INSERT, ["held up"]);
        // COMMIT leaves, and gets no further than the proxy; then the client's side is gone.
        if (attempts === 1) {
          proxy.freeze("toServer");
          setTimeout(() => {
            proxy.cutAll("reset");
            proxy.thaw("toServer");
          }, 50);
        }
        return attempts;
      },
      { timeoutMs: 20_000 },
    );
    expect(await call).toBe(2);
    expect(await orders()).toBe(1);
    expect(told).toEqual(["rolled-back by ledger"]);
    off();
  });

  it("keeps a row for every write that says exactlyOnce, which is swept when it is old", async () => {
    await db.query(INSERT, ["x"], { exactlyOnce: true });
    await db.transaction((tx) => tx.query(INSERT, ["y"]));
    expect(await admin("SELECT 1 FROM ledger")).toHaveLength(2);
    await db.query(ledgerSweepSql(3_600, "app.ledger", mysql));
    expect(await admin("SELECT 1 FROM ledger")).toHaveLength(2);
    await admin("UPDATE ledger SET written_at = NOW() - INTERVAL 2 HOUR");
    await db.query(ledgerSweepSql(3_600, "app.ledger", mysql), [], { exactlyOnce: false });
    expect(await admin("SELECT 1 FROM ledger")).toHaveLength(0);
  });

  it("is not for what commits by itself: it is sent as it is, and cannot have a key", async () => {
    await db.query("CREATE TABLE made (id int)", { exactlyOnce: true });
    expect(await admin("SELECT 1 FROM ledger")).toHaveLength(0);
    const error = await errorOf(db.query("DROP TABLE made", { idempotencyKey: "x" }));
    expect(error.code).toBe("ERR_BREAKWATER_USAGE");
  });

  it("is what everything rests on: without it, the outcome of an unanswered COMMIT is not known", async () => {
    const without = stackOn(cluster, { commitResolution: { ledger: false } });
    const { proxy } = cluster.primary;
    const call = without.transaction(async (tx) => {
      await tx.query(INSERT, ["unknown"]);
      proxy.freeze("toClient");
      setTimeout(() => {
        proxy.cutAll("reset");
        proxy.thaw("toClient");
      }, 50);
    });
    expect((await errorOf(call)).code).toBe("ERR_BREAKWATER_OUTCOME_UNKNOWN");
    await without.close();
  });
});
