/**
 * M7–M14 and M21 of the measured hazards: what happens when nodes fail, follow and change places. Each shows the hazard on
 * bare `pg` first, then what the layer makes of it.
 */
import { type Cluster, type ClusterNode, startCluster } from "@breakwater/chaos";
import { OutcomeUnknownError } from "@breakwater/core";
import { breakwater } from "breakwater";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { closeStacks, noConnectionLeft, resolutions, stackOn, through } from "../support/database.ts";
import { errorOf, until } from "../support/wait.ts";

async function bareClient(node: ClusterNode): Promise<pg.Client> {
  const client = new pg.Client(through(node));
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

describe("hazards of nodes", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1, settings: { max_standby_streaming_delay: "150ms" } });
    await cluster.primary.query("CREATE TABLE hazard (id text); CREATE SEQUENCE numbers");
    await cluster.waitForStreaming();
  });
  afterEach(async () => {
    await closeStacks();
    // Where a test failed, the next one finds the cluster as it should be.
    for (const node of cluster.nodes) if (node.state === "hung") node.resume();
    if (cluster.synchronous) await cluster.setSynchronous(false);
  });
  afterAll(() => cluster.close());

  const there = async (id: string): Promise<number> =>
    (await cluster.primary.query("SELECT FROM hazard WHERE id = $1", [id])).length;
  const waitsForStandby = (): Promise<void> =>
    until("the commit to wait for a standby", async () => {
      return (await cluster.primary.query("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'")).length === 1;
    });

  it("M7: a COMMIT whose answer was lost is found out", async () => {
    using fault = cluster.primary.proxy.dropReply({ to: /^commit/i });
    const client = await bareClient(cluster.primary);
    await client.query("BEGIN; INSERT INTO hazard VALUES ('bare')");
    await errorOf(client.query("COMMIT"));
    expect(await there("bare")).toBe(1);

    const db = stackOn(cluster);
    await db.transaction((tx) => tx.query("INSERT INTO hazard VALUES ('own')"));
    expect([await there("own"), fault.hits]).toStrictEqual([1, 2]);
    await db.close();
  });

  it.each(["pg_cancel_backend", "pg_terminate_backend"])(
    "M8: a commit that %s kept from its standby is told as such, and not run again",
    async (end) => {
      await cluster.setSynchronous(true);
      const [replica] = cluster.replicas;
      replica?.hang();
      const endWaiting = `SELECT ${end}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`;
      const client = await bareClient(cluster.primary);
      const outcome = client.query("INSERT INTO hazard VALUES ($1)", [`bare ${end}`]).then(
        () => "ok",
        (error: Error) => error.message,
      );
      await waitsForStandby();
      await cluster.primary.query(endWaiting);
      // As if it were safe, or as if nobody knew; there it is in both cases.
      expect(await outcome).toBe(end === "pg_cancel_backend" ? "ok" : "Connection terminated unexpectedly");
      expect(await there(`bare ${end}`)).toBe(1);
      await client.end();

      const db = breakwater({ primary: through(cluster.primary) });
      const alone: unknown[] = [];
      const attempts: number[] = [];
      db.on("transaction:not-replicated", (event) => alone.push(event));
      const write = db.transaction(async (tx) => {
        attempts.push(tx.attempt);
        await tx.query("INSERT INTO hazard VALUES ($1)", [`own ${end}`]);
        return "done";
      });
      await waitsForStandby();
      await cluster.primary.query(endWaiting);
      expect(await write).toBe("done");
      expect(attempts).toStrictEqual([1]);
      expect(alone).toHaveLength(1);
      expect(await there(`own ${end}`)).toBe(1);
      await db.close();
      replica?.resume();
      await cluster.setSynchronous(false);
    },
  );

  it("M8: a commit that waits for its standby is neither cancelled nor ended by the layer", async () => {
    await cluster.setSynchronous(true);
    const [replica] = cluster.replicas;
    replica?.hang();
    const db = breakwater({ primary: through(cluster.primary), commitResolution: { graceMs: 0 }, timeoutMs: 2_000 });
    const alone: unknown[] = [];
    db.on("transaction:not-replicated", (event) => alone.push(event));
    const write = errorOf(db.transaction((tx) => tx.query("INSERT INTO hazard VALUES ('waits')")));
    await waitsForStandby();
    cluster.primary.proxy.cutAll();
    expect(await write).toBeInstanceOf(OutcomeUnknownError);
    const late = errorOf(db.transaction((tx) => tx.query("INSERT INTO hazard VALUES ('late')")));
    expect(await late).toBeInstanceOf(OutcomeUnknownError);
    expect(await cluster.primary.query("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'")).toHaveLength(2);
    expect(alone).toStrictEqual([]);
    replica?.resume();
    await until("both to be committed", async () => (await there("waits")) + (await there("late")) === 2);
    await cluster.setSynchronous(false);
    await db.close();
  });

  it("M10: a read that a replica had to give up is answered by another node", async () => {
    const [replica] = cluster.replicas;
    const sleeps = async (): Promise<boolean> =>
      (await replica!.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).length > 0;
    const conflict = async (): Promise<void> => {
      await until("the read to run", sleeps);
      await cluster.primary.query("DELETE FROM hazard");
      await until("the read to be given up", async () => {
        // What anybody on the primary may still see is not cleaned up: then again.
        await cluster.primary.query("VACUUM hazard");
        return !(await sleeps());
      });
    };
    const read = "SELECT count(*), pg_sleep(CASE WHEN pg_is_in_recovery() THEN 60 ELSE 0 END) FROM hazard";
    const client = await bareClient(replica!);
    await cluster.primary.query("INSERT INTO hazard SELECT 'x' FROM generate_series(1, 100)");
    const bare = errorOf(client.query(read));
    await conflict();
    expect((await bare).code).toBe("40001");
    await client.end();

    const db = stackOn(cluster);
    await cluster.primary.query("INSERT INTO hazard SELECT 'x' FROM generate_series(1, 100)");
    const own = db.query(read, [], { access: "read", consistency: "eventual" });
    await conflict();
    expect((await own).rowCount).toBe(1);
    await db.close();
  });

  it("M11: a crash of somebody else's process does not fail a bystander's reads", async () => {
    const bystander = await bareClient(cluster.primary);
    const db = stackOn(cluster);
    const victim = await bareClient(cluster.primary);
    const pid = (victim as unknown as { processID: number }).processID;
    const bare = errorOf(bystander.query("SELECT pg_sleep(60)"));
    const own = db.query("SELECT pg_sleep(2)", [], { consistency: "strong", access: "read" });
    await until("both to run", async () => {
      return (await cluster.primary.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).length === 2;
    });
    await cluster.primary.killBackend(pid);
    expect((await bare).code).toBeUndefined();
    expect((await own).rowCount).toBe(1);
    await db.close();
    await cluster.primary.waitUntilReady();
    await cluster.waitForStreaming();
  });

  it("M12: a node that nobody can reach does not fail a read, and an error has words", async () => {
    const [replica] = cluster.replicas;
    await replica?.stop();
    const bare = await errorOf(bareClient({ ...replica!, port: replica!.directPort }));
    expect(bare.code).toBe("ECONNREFUSED");

    const db = breakwater({
      primary: through(cluster.primary),
      replicas: [{ ...through(replica!), port: replica!.directPort }],
    });
    expect((await db.query("SELECT 1")).rowCount).toBe(1);
    await db.close();
    await replica?.start();
    await cluster.waitForStreaming();
  });

  it("M13: a write that looks like a read goes to the primary", async () => {
    const [replica] = cluster.replicas;
    const client = await bareClient(replica!);
    expect((await errorOf(client.query("SELECT nextval('numbers')"))).code).toBe("25006");
    await client.end();

    const db = stackOn(cluster);
    expect((await db.query("SELECT nextval('numbers')")).rowCount).toBe(1);
    // Even where the caller was mistaken: a standby's refusal proves that nothing has happened.
    expect((await db.query("SELECT nextval('numbers')", [], { access: "read" })).rowCount).toBe(1);
    await db.close();
  });

  it("M21: a read after a write sees it, however far the replica is behind", async () => {
    const [replica] = cluster.replicas;
    await replica?.pauseReplay();
    const client = await bareClient(replica!);
    await cluster.primary.query("INSERT INTO hazard VALUES ('bare fresh')");
    expect((await client.query("SELECT FROM hazard WHERE id = 'bare fresh'")).rowCount).toBe(0);
    await client.end();

    const db = stackOn(cluster);
    let stale = 0;
    for (let round = 0; round < 20; round++) {
      const id = `own fresh ${round}`;
      await db.transaction((tx) => tx.query("INSERT INTO hazard VALUES ($1)", [id]));
      const { rowCount } = await db.query("SELECT FROM hazard WHERE id = $1", [id]);
      if (rowCount !== 1) stale++;
    }
    expect(stale).toBe(0);
    await db.close();
    await replica?.resumeReplay();
  });

  it("M14: after a promotion nothing is written to the old primary", async () => {
    const old = cluster.primary;
    await cluster.waitForStreaming();
    const db = stackOn(cluster);
    const told = resolutions(db);
    await db.query("INSERT INTO hazard VALUES ('before')", [], { exactlyOnce: true });
    const fenced = new Promise((resolve) => db.on("router:node-fenced", resolve));
    const client = await bareClient(old);
    const next = await cluster.failover({ kill: "none" });
    // It does not know that it is not the primary any more.
    expect((await client.query("INSERT INTO hazard VALUES ('bare lost')")).rowCount).toBe(1);
    expect(await next.query("SELECT FROM hazard WHERE id = 'bare lost'")).toHaveLength(0);
    await client.end();

    await fenced;
    for (let round = 0; round < 20; round++) {
      await db.query("INSERT INTO hazard VALUES ($1)", [`after ${round}`], { exactlyOnce: true });
    }
    expect(await old.query("SELECT FROM hazard WHERE id LIKE 'after%'")).toHaveLength(0);
    expect(await next.query("SELECT FROM hazard WHERE id LIKE 'after%'")).toHaveLength(20);
    expect(told).toStrictEqual([]);
    await db.close();
    await noConnectionLeft(cluster);
  });
});
