import { type Cluster, startCluster } from "@breakwater/chaos";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { breakwater, type Database } from "breakwater";

/** Ends every connection of clients, as an operator or a fast shutdown does. */
const END_CLIENTS = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;

describe("a terminated connection", () => {
  let cluster: Cluster;
  let db: Database;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    db = breakwater({ primary: cluster.primary.connectionString });
    await db.query("CREATE TABLE kept (id int)");
  });

  afterAll(async () => {
    await db.close();
    await cluster.close();
  });

  it("fails none of 50 writes that the server had not come to, and none is carried out twice", async () => {
    for (let id = 1; id <= 50; id += 1) {
      await cluster.primary.query(END_CLIENTS);
      await db.query("INSERT INTO kept VALUES ($1)", [id]);
    }
    const { rows } = await db.query("SELECT id, count(*)::int AS times FROM kept GROUP BY id ORDER BY id");
    expect(rows).toEqual(Array.from({ length: 50 }, (_, index) => ({ id: index + 1, times: 1 })));
  });

  it("leaves the outcome of a write unknown that the server had begun", async () => {
    const write = db.query("INSERT INTO kept SELECT $1 FROM pg_sleep(30)", [51]);
    const outcome = write.catch((error: unknown) => error);
    await expect.poll(() => cluster.primary.query(`${END_CLIENTS} AND wait_event = 'PgSleep'`)).toHaveLength(1);
    expect(await outcome).toMatchObject({ code: "ERR_BREAKWATER_OUTCOME_UNKNOWN" });
  });
});
