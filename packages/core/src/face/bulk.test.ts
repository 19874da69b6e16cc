import { describe, expect, it } from "vitest";
import { database } from "./database.ts";
import { UsageError } from "../contract/errors.ts";
import { driverPool } from "../call/adapter.ts";
import { failureOf } from "../contract/failure.ts";
import type { Operation } from "../contract/operation.ts";
import { fakeDriver } from "../testing/fake-driver.ts";
import { fakeDialect, fakePool } from "../testing/fake-pool.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { failedIndex } from "./failed-index.ts";

/** What a call asks of the pool. */
async function asked(call: (db: ReturnType<typeof database>) => Promise<unknown>): Promise<Operation<unknown>[]> {
  const pool = fakePool(() => []);
  await call(database(pool));
  return [...pool.calls];
}

describe("batch", () => {
  it("is a read when all its statements are, and otherwise a write", async () => {
    const calls = await asked(async (db) => {
      await db.batch(["SELECT 1", { text: "SELECT $1", values: [7] }]);
      await db.batch(["SELECT 1", "UPDATE t"]);
      await db.batch(["UPDATE t"], { access: "read" });
      await db.batch(["UPDATE t"], { isolation: "serializable" });
      await db.batch([]);
    });
    expect(calls.map(({ kind, access }) => [kind, access])).toEqual([
      ["query", "read"],
      ["query", "write"],
      ["query", "read"],
      ["transaction", "write"],
    ]);
    expect(calls[0]).toMatchObject({ statement: { text: "SELECT 1;\nSELECT $1", values: [7] } });
  });

  it("is a transaction of single statements on a driver that can do no more, and undone when one fails", async () => {
    const driver = fakeDriver(({ text }) => {
      if (text === "bad") throw new Error("planted");
      return undefined;
    });
    const db = database(driverPool(driver, fakeDialect, { name: "fake", clock: new ManualClock() }));
    await db.batch(["SELECT 1", "SELECT 2"]);
    const error: unknown = await db.batch(["SELECT 3", "bad", "SELECT 4"]).catch((thrown: unknown) => thrown);
    expect(failedIndex(error)).toBe(1);
    expect(driver.connections[0]?.sent).toEqual([
      "BEGIN",
      "SELECT 1",
      "SELECT 2",
      "COMMIT",
      "BEGIN",
      "SELECT 3",
      "bad",
      "ROLLBACK",
    ]);
  });
});

describe("what a driver cannot do", () => {
  it("is told with the pool's name", async () => {
    const db = database(driverPool(fakeDriver(), fakeDialect, { name: "little", clock: new ManualClock() }));
    const calls = [
      db.stream("SELECT 1").next(),
      db.copyFrom({ table: "t" }, "x"),
      db.copyTo({ table: "t" }).next(),
      db.listen("a", () => undefined),
      db.notify("a"),
    ];
    for (const call of calls) {
      const error: unknown = await call.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect(String(error)).toContain('pool "little"');
      expect(failureOf(error).retry).toBe("never");
    }
    expect(db.stats()).toMatchObject({ active: 0, waiting: 0 });
  });
});

describe("executeMany", () => {
  it("goes row by row on a driver that can do no more", async () => {
    const driver = fakeDriver(({ text, values }) => {
      if (values?.[0] === 3) throw new Error("planted");
      return { rows: [], rowCount: 1, command: text, fields: [] };
    });
    const db = database(driverPool(driver, fakeDialect, { name: "fake", clock: new ManualClock() }));
    expect(await db.executeMany("UPDATE t", [[1], [2]])).toBe(2);
    const error: unknown = await db.executeMany("UPDATE t", [[1], [2], [3]]).catch((thrown: unknown) => thrown);
    expect(failedIndex(error)).toBe(2);
    expect(driver.connections[0]?.sent.slice(-2)).toEqual(["UPDATE t", "ROLLBACK"]);
  });
});
