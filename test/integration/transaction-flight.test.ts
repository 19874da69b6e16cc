/**
 * What begins and ends a transaction goes to the server in one piece, of which any part may fail.
 */
import { type Cluster, startCluster } from "@breakwater/chaos";
import { database, failureOf } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { breakwater, type Database } from "breakwater";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf } from "../support/wait.ts";

describe("the messages around a transaction", () => {
  let cluster: Cluster;
  let db: Database;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1 });
    const { primary } = cluster;
    await primary.query("CREATE TABLE kept (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)");
    await primary.query("CREATE ROLE app LOGIN");
    await primary.query("GRANT ALL ON kept TO app");
    db = breakwater({ primary: primary.connectionString.replace("postgres@", "app@"), pool: { max: 1 } });
  });

  afterAll(async () => {
    await db.close();
    await cluster.close();
  });

  const insert = (id: number): Promise<unknown> =>
    db.transaction((transaction) => transaction.query("INSERT INTO kept VALUES ($1)", [id]));
  const ids = async (): Promise<unknown> => {
    const rows = await cluster.primary.query<{ id: number }>("SELECT id FROM kept ORDER BY id");
    return rows.map(({ id }) => id);
  };
  const limitWithin = (timeoutMs: number): Promise<number> =>
    db.transaction(
      async (transaction) => {
        const text = "SELECT setting::int AS ms FROM pg_settings WHERE name = 'statement_timeout'";
        return (await transaction.one<{ ms: number }>(text)).ms;
      },
      { timeoutMs },
    );

  it("set the server's own limit, for this transaction and no longer", async () => {
    for (const timeoutMs of [5_000, 9_000, 2_000]) {
      const ms = await limitWithin(timeoutMs);
      expect(ms).toBeGreaterThan(timeoutMs - 1_500);
      expect(ms).toBeLessThanOrEqual(timeoutMs + 100);
      expect((await db.query("SHOW statement_timeout")).rows).toEqual([{ statement_timeout: "0" }]);
    }
  });

  it("leave a limit of the connection's own", async () => {
    await db.query("SET statement_timeout = '1234ms'");
    expect([await limitWithin(5_000), await limitWithin(5_000)]).toEqual([1234, 1234]);
    await db.query("RESET statement_timeout");
  });

  it("say so when COMMIT fails, and leave nothing", async () => {
    await insert(1);
    for (let time = 1; time <= 3; time += 1) await expect(insert(1)).rejects.toMatchObject({ code: "23505" });
    await insert(2);
    expect(await ids()).toEqual([1, 2]);
  });

  it("carry out nothing when the question behind BEGIN is refused, and go on when it is not any more", async () => {
    const { primary } = cluster;
    await primary.query("REVOKE EXECUTE ON FUNCTION pg_current_xact_id() FROM PUBLIC");
    for (let time = 1; time <= 3; time += 1) {
      const heard: unknown[] = [];
      const refused = db.transaction(async (transaction) => {
        for (const id of [7, 8])
          await transaction.query("INSERT INTO kept VALUES ($1)", [id]).catch((error: unknown) => heard.push(error));
        return "well";
      });
      const error = await errorOf(refused);
      expect(error).toMatchObject({ code: "42501" });
      expect(failureOf(error)).toMatchObject({ phase: "running", effect: "none", retry: "never", blames: "statement" });
      // The function may have come to its first statement, and no further.
      for (const each of heard) expect(each).toBe(error);
    }
    await expect(db.transaction(() => Promise.resolve())).rejects.toMatchObject({ code: "42501" });
    await expect(
      db.transaction(async (transaction) => {
        await transaction
          .query("SELECT 1")
          .catch((error: unknown) => Promise.reject(new Error("mine", { cause: error })));
      }),
    ).rejects.toMatchObject({ code: "42501" });
    await primary.query("GRANT EXECUTE ON FUNCTION pg_current_xact_id() TO PUBLIC");
    await insert(3);
    expect(await ids()).toEqual([1, 2, 3]);
    expect(db.stats()).toMatchObject({ active: 0 });
  });

  it("carry out nothing behind a BEGIN that fails", async () => {
    const [replica] = cluster.replicas;
    const standby = database(fromPg({ connectionString: replica?.connectionString ?? "", max: 1 }));
    const serializable = (): Promise<unknown> =>
      standby.transaction((transaction) => transaction.query("SELECT 1"), {
        isolation: "serializable",
        timeoutMs: 5_000,
      });
    for (let time = 1; time <= 3; time += 1) await expect(serializable()).rejects.toMatchObject({ code: "0A000" });
    const { rows } = await standby.query("SELECT pg_backend_pid() AS pid, current_setting('statement_timeout') AS ms");
    expect(rows).toMatchObject([{ ms: "0" }]);
    expect(standby.stats()).toMatchObject({ total: 1, active: 0 });
    await standby.close();
  });
});
