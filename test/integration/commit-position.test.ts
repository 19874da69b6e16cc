import { type Cluster, type ClusterNode, startCluster } from "@breakwater/chaos";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { breakwater, type Database } from "breakwater";

/** A connection string of an ordinary role. */
function asApp(node: ClusterNode): string {
  return node.connectionString.replace("postgres@", "app@");
}

describe("a commit whose position cannot be told", () => {
  let cluster: Cluster;
  let db: Database;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1 });
    const { primary, replicas } = cluster;
    await primary.query("CREATE TABLE kept (id text)");
    await primary.query("CREATE ROLE app LOGIN");
    await primary.query("GRANT ALL ON kept TO app");
    db = breakwater({ primary: asApp(primary), replicas: replicas.map(asApp) });
  });

  afterAll(async () => {
    await db.close();
    await cluster.close();
  });

  async function times(id: string): Promise<number | undefined> {
    const [row] = await cluster.primary.query<{ n: number }>("SELECT count(*)::int AS n FROM kept WHERE id = $1", [id]);
    return row?.n;
  }

  function insert(id: string): Promise<unknown> {
    return db.transaction((transaction) => transaction.query("INSERT INTO kept VALUES ($1)", [id]));
  }

  it("is a commit all the same, once, when the question is refused", async () => {
    // The connection has been asked before, and was allowed to.
    await insert("before");
    await cluster.primary.query("REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC");
    await insert("refused");
    await insert("refused again");
    expect([await times("refused"), await times("refused again")]).toEqual([1, 1]);
  });

  it("is a commit all the same, once, when somebody cancels the question", async () => {
    const { primary } = cluster;
    await primary.query("GRANT EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) TO PUBLIC");
    // A question that takes its time, so that it can be cancelled after COMMIT and before its answer.
    await primary.query("CREATE SCHEMA slow");
    await primary.query(`CREATE FUNCTION slow.pg_walfile_name(at pg_lsn) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
      IF current_query() LIKE '%AS timeline,%' THEN PERFORM pg_sleep(30); END IF;
      RETURN pg_catalog.pg_walfile_name(at);
    END $$`);
    await primary.query("GRANT USAGE ON SCHEMA slow TO app");
    await primary.query("ALTER ROLE app SET search_path = slow, pg_catalog, public");
    await using other = breakwater({ primary: asApp(primary), replicas: cluster.replicas.map(asApp) });
    let over = false;
    const done = other.transaction((transaction) => transaction.query("INSERT INTO kept VALUES ('cancelled')"));
    const ended = done.finally(() => {
      over = true;
    });
    ended.catch(() => undefined);
    const cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let cancelled = 0;
    // Others may ask the same at the same time.
    const cancelling = async (): Promise<boolean> => {
      cancelled += (await primary.query(cancel)).length;
      return over;
    };
    await expect.poll(cancelling).toBe(true);
    await ended;
    expect(cancelled).toBeGreaterThan(0);
    expect(await times("cancelled")).toBe(1);
  });
});
