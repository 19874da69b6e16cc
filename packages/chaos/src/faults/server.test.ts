import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import type { ClusterNode } from "../cluster/node.ts";
import { until } from "../wait.ts";
import type { FaultRecord } from "./active-fault.ts";
import { Faults } from "./faults.ts";

let cluster: Cluster;
let faults: Faults;

beforeAll(async () => {
  cluster = await startCluster({ replicas: 2, settings: { max_connections: "20" } });
  await cluster.primary.query("CREATE TABLE t (i int PRIMARY KEY)");
  await cluster.primary.query("INSERT INTO t VALUES (1), (2)");
  await cluster.primary.query("CREATE ROLE ordinary LOGIN");
});
afterAll(() => cluster?.close());
beforeEach(async () => {
  faults = new Faults({ cluster });
  // A session that is about to end still has its slot.
  await until("earlier sessions to be gone", async () => {
    const left = await cluster.primary.query(
      `SELECT FROM pg_stat_activity WHERE backend_type = 'client backend'
         AND application_name <> 'breakwater-chaos' AND pid <> pg_backend_pid()`,
    );
    return left.length === 0;
  });
});
afterEach(async () => {
  await faults.close();
  for (const node of cluster.nodes) await node.waitUntilReady();
  await cluster.waitForStreaming();
});

async function connects(node: ClusterNode, user = "ordinary"): Promise<Client> {
  const one = new Client({ host: "127.0.0.1", port: node.port, user, database: "postgres" });
  one.on("error", () => {});
  await one.connect();
  onTestFinished(() => one.end().catch(() => {}));
  return one;
}

function replica(): ClusterNode {
  const [one] = cluster.replicas;
  if (one === undefined) throw new Error("there is no replica");
  return one;
}

async function count(node: ClusterNode): Promise<number> {
  const [row] = await node.query<{ n: number }>("SELECT count(*)::int AS n FROM t");
  return row?.n ?? -1;
}

describe("faults of a server", () => {
  it.each([
    ["kill", () => faults.server(replica()).kill()],
    ["stop", () => faults.server(replica()).stop({ mode: "immediate" })],
  ])("%s takes a server down, and its end brings it back", async (_, strike) => {
    const node = replica();
    const fault = await strike();
    expect([node.state, fault.hits, fault.endedMs]).toEqual(["stopped", 1, undefined]);
    await Promise.all([fault.off(), fault.off()]);
    expect([node.state, node.role]).toEqual(["running", "replica"]);
    expect(await count(node)).toBe(2);
    expect(fault.endedMs).toBeGreaterThan(fault.beganMs);
  });

  it("hang lets nothing answer, and its end lets all go on", async () => {
    const node = replica();
    const one = await connects(node);
    const fault = await faults.server(node).hang();
    let settled = false;
    const waiting = one.query("SELECT 1 AS one").finally(() => (settled = true));
    await cluster.primary.query("SELECT pg_sleep(0.1)");
    expect([node.state, settled]).toEqual(["hung", false]);
    await fault.off();
    expect((await waiting).rows).toEqual([{ one: 1 }]);
  });

  it("killBackend ends the session that is meant, and with it all others", async () => {
    const { primary } = cluster;
    const one = await connects(primary);
    await one.query("SET application_name = 'meant'");
    const fault = await faults.server(primary).killBackend({ where: "application_name = 'meant'" });
    await expect(one.query("SELECT 1")).rejects.toThrow(/terminat|ECONNRESET|closed|connection error/);
    await fault.off();
    expect(await count(primary)).toBe(2);
    await expect(faults.server(primary).killBackend({ where: "application_name = 'meant'" })).rejects.toMatchObject({
      code: "ERR_BREAKWATER_CHAOS_STATE",
    });
  });

  it("pauseReplay and delayReplay let a replica lag, and catch up at their end", async () => {
    const node = replica();
    const paused = await faults.server(node).pauseReplay();
    await cluster.primary.query("INSERT INTO t VALUES (3)");
    await received(node);
    expect(await count(node)).toBe(2);
    await paused.off();
    await until("the row to be replayed", async () => (await count(node)) === 3);
    const delayed = await faults.server(node).delayReplay({ ms: 3_600_000 });
    await cluster.primary.query("DELETE FROM t WHERE i = 3");
    await received(node);
    expect(await count(node)).toBe(3);
    await delayed.off();
    await until("the deletion to be replayed", async () => (await count(node)) === 2);
    expect(await node.query("SELECT setting FROM pg_settings WHERE name = 'recovery_min_apply_delay'")).toEqual([
      { setting: "0" },
    ]);
  });

  it("lag leaves a replica as many bytes behind", async () => {
    const node = replica();
    await faults.server(node).lag({ bytes: 6_000_000 });
    const [there] = await cluster.primary.query<{ lsn: string }>("SELECT pg_current_wal_lsn()::text AS lsn");
    const behind = "SELECT pg_wal_lsn_diff($1::pg_lsn, pg_last_wal_replay_lsn())::int8::text AS bytes";
    const [row] = await node.query<{ bytes: string }>(behind, [there?.lsn]);
    expect(Number(row?.bytes)).toBeGreaterThanOrEqual(6_000_000);
    await faults.off();
    await until("the replica to catch up", async () => {
      const [now] = await node.query<{ bytes: string }>(behind, [there?.lsn]);
      return Number(now?.bytes) <= 0;
    });
  });

  it("fillSlots keeps ordinary users out, lets superusers in, and frees the slots at its end", async () => {
    const { primary } = cluster;
    const early = await connects(primary);
    const fault = await faults.server(primary).fillSlots();
    await expect(connects(primary)).rejects.toMatchObject({ code: "53300" });
    expect((await early.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    expect(await count(primary)).toBe(2);
    expect(fault.hits).toBeGreaterThan(10);
    await fault.off();
    await until("a slot to be free", async () => {
      await connects(primary);
      return true;
    });
  });

  it("fillSlots leaves as many as it is told, or none at all", async () => {
    const { primary } = cluster;
    const some = await faults.server(primary).fillSlots({ leave: 2 });
    await connects(primary);
    await connects(primary);
    await expect(connects(primary)).rejects.toMatchObject({ code: "53300" });
    const all = await faults.server(primary).fillSlots({ reserved: true });
    await expect(connects(primary, "postgres")).rejects.toMatchObject({ code: "53300" });
    await expect(primary.query("SELECT 1")).rejects.toMatchObject({ code: "53300" });
    await all.off();
    await some.off();
  });

  it("holdLock makes others wait: for a table, or for what a statement locks", async () => {
    const { primary } = cluster;
    const one = await connects(primary, "postgres");
    const waits = async (text: string): Promise<boolean> => {
      await one.query("SET lock_timeout = '50ms'");
      return one.query(text).then(
        () => false,
        (error: { code?: string }) => error.code === "55P03",
      );
    };
    const table = await faults.server(primary).holdLock({ table: "t" });
    expect(await waits("SELECT FROM t")).toBe(true);
    await table.off();
    await until("the lock to be free", async () => !(await waits("SELECT FROM t")));
    const row = await faults.server(primary).holdLock({ statement: "SELECT FROM t WHERE i = 1 FOR UPDATE" });
    expect(await waits("UPDATE t SET i = i WHERE i = 1")).toBe(true);
    expect(await waits("UPDATE t SET i = i WHERE i = 2")).toBe(false);
    await row.off();
    await expect(faults.server(primary).holdLock({ table: "nothing" })).rejects.toMatchObject({ code: "42P01" });
    await until("no session to be left", async () => (await own(primary, "holdLock")) === 0);
  });

  it("longStatement keeps a server busy, and ends what it runs", async () => {
    const { primary } = cluster;
    const fault = await faults.server(primary).longStatement({ count: 3 });
    expect(await own(primary, "longStatement")).toBe(3);
    await fault.off();
    await until("the statements to end", async () => (await own(primary, "longStatement")) === 0);
    await expect(faults.server(primary).longStatement({ statement: "SELECT nothing" })).rejects.toMatchObject({
      code: "42703",
    });
    await until("no session to be left", async () => (await own(primary, "longStatement")) === 0);
  });

  it("refuses what makes no sense, and writes nothing down for it", async () => {
    const { primary } = cluster;
    const server = faults.server(primary);
    const state = { code: "ERR_BREAKWATER_CHAOS_STATE" };
    await expect(server.pauseReplay()).rejects.toMatchObject(state);
    await expect(server.lag({ bytes: 1 })).rejects.toMatchObject(state);
    await expect(server.promote()).rejects.toMatchObject(state);
    await expect(server.stop({ mode: "slow" as never })).rejects.toThrow("mode must be one of");
    await expect(server.kill({ hard: true } as never)).rejects.toThrow("kill: unknown option hard");
    await expect(server.delayReplay({ ms: 0 })).rejects.toThrow("ms must be an integer from 1");
    await expect(server.fillSlots({ leave: -1 })).rejects.toThrow("leave must be an integer from 0");
    await expect(server.holdLock({ table: "" })).rejects.toThrow("table must be the name of a table");
    await expect(server.holdLock({ table: "t", mode: "WEAK" as never })).rejects.toThrow("mode must be one of");
    await expect(server.longStatement({ count: 0 })).rejects.toThrow("count must be an integer from 1");
    await expect(server.killBackend({ where: "" })).rejects.toThrow("where must be a condition");
    await expect(server.killBackend({} as never)).rejects.toThrow("where must be a condition");
    expect(primary.state).toBe("running");
    const alone = new Faults();
    await expect(alone.server(replica()).lag({ bytes: 1 })).rejects.toMatchObject(state);
    await expect(alone.failover()).rejects.toThrow("the script was not given a cluster");
    await expect(faults.failover({ kill: "softly" as never })).rejects.toThrow("kill must be one of");
    expect([faults.record(), alone.record()]).toEqual([[], []]);
  });
});

describe("faults of a cluster", () => {
  it("failover has another primary, and its end brings the old one back as a replica", async () => {
    const old = cluster.primary;
    const fault = await faults.failover({ kill: "hang" });
    expect(cluster.primary).not.toBe(old);
    await cluster.primary.query("INSERT INTO t VALUES (9)");
    await fault.off();
    expect([old.role, old.state]).toEqual(["replica", "running"]);
    await until("the row to be there", async () => (await count(old)) === 3);
    await cluster.primary.query("DELETE FROM t WHERE i = 9");
  });

  it("a killed primary that was replaced meanwhile comes back as a replica", async () => {
    const old = cluster.primary;
    const killed = await faults.server(old).kill();
    await cluster.failover();
    await killed.off();
    expect([old.role, old.state]).toEqual(["replica", "running"]);
  });

  it("switchover swaps the roles, once", async () => {
    const old = cluster.primary;
    const fault = await faults.switchover();
    expect([cluster.primary === old, old.role, fault.endedMs !== undefined]).toEqual([false, "replica", true]);
  });
});

describe("a script", () => {
  it("writes down what was on and when, tells of it, and ends all that is on, the newest first", async () => {
    let now = 0;
    const script = new Faults({ cluster, now: () => ++now });
    const told: string[] = [];
    const stop = script.onChange(({ name }: FaultRecord, what) => told.push(`${name} ${what}`));
    const node = replica();
    script.wire(node).latency({ ms: 5 });
    await script.server(node).pauseReplay();
    const policy = { inject: ({ hits }: { fault: string; hits: number }) => ({ hits, off: () => {} }) };
    script.policy(policy, { fault: "lost-reply", hits: 3 });
    script.wire(node).cut();
    expect(script.record()).toMatchObject([
      { level: "wire", name: "latency", target: node.name, beganMs: 1, endedMs: undefined },
      { level: "cluster", name: "pauseReplay", target: node.name, hits: 1 },
      { level: "policy", name: "lost-reply", target: "policy", hits: 3 },
      { level: "wire", name: "cut", endedMs: expect.any(Number) },
    ]);
    await script.close();
    expect(told).toEqual([
      "latency began",
      "pauseReplay began",
      "lost-reply began",
      "cut began",
      "cut ended",
      "lost-reply ended",
      "pauseReplay ended",
      "latency ended",
    ]);
    stop();
    expect(script.record().every(({ endedMs }) => endedMs !== undefined)).toBe(true);
    await expect(script.server(node).kill()).rejects.toMatchObject({ code: "ERR_BREAKWATER_CHAOS_STATE" });
    expect(node.state).toBe("running");
  });

  it("waits at its end for a fault that is just beginning, and ends it too", async () => {
    const node = replica();
    const script = new Faults({ cluster });
    const killing = script.server(node).kill();
    await script.close();
    expect((await killing).endedMs).toBeTypeOf("number");
    expect(node.state).toBe("running");
  });

  it("ends all it can, and says what it could not", async () => {
    const script = new Faults({ cluster });
    const wire = script.wire(replica()).freeze();
    const broken = { inject: () => ({ hits: 0, off: () => Promise.reject(new Error("stuck")) }) };
    script.policy(broken, { fault: "x" });
    await expect(script.close()).rejects.toThrow("stuck");
    expect(wire.endedMs).toBeTypeOf("number");
    await count(replica());
  });
});

/** Sessions of the script's own. */
async function own(node: ClusterNode, purpose: string): Promise<number> {
  const sessions = await node.query("SELECT FROM pg_stat_activity WHERE application_name = $1", [
    `breakwater-chaos ${purpose}`,
  ]);
  return sessions.length;
}

/** Waits until a replica has received all that the primary has written. */
async function received(node: ClusterNode): Promise<void> {
  const [there] = await cluster.primary.query<{ lsn: string }>("SELECT pg_current_wal_lsn()::text AS lsn");
  await until("the replica to receive it", async () => {
    const [row] = await node.query<{ ok: boolean }>("SELECT pg_last_wal_receive_lsn() >= $1::pg_lsn AS ok", [
      there?.lsn,
    ]);
    return row?.ok;
  });
}
