import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { until } from "../wait.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { isAlive } from "./local/processes.ts";
import type { ClusterNode } from "./node.ts";

let cluster: Cluster;
let primary: ClusterNode;
let replica: ClusterNode;

beforeAll(async () => {
  cluster = await startCluster({ replicas: 1 });
  primary = cluster.primary;
  replica = cluster.node("n2");
  await primary.query("CREATE TABLE t (i serial)");
}, 120_000);
afterAll(() => cluster?.close());

async function count(node: ClusterNode): Promise<number> {
  return (await node.query<{ n: number }>("SELECT count(*)::int AS n FROM t"))[0]?.n ?? -1;
}

/** A client that may lose its connection. */
async function client(node: ClusterNode): Promise<Client> {
  const made = new Client({ connectionString: node.connectionString, connectionTimeoutMillis: 60_000 });
  made.on("error", () => {});
  await made.connect();
  onTestFinished(() => void made.end().catch(() => {}));
  return made;
}

// The tests share one cluster: each leaves both nodes running and streaming.
describe("a node", { timeout: 120_000 }, () => {
  it.each(["smart", "fast", "immediate"] as const)("stops (%s) and starts again at the same address", async (mode) => {
    const before = [replica.port, replica.directPort, replica.connectionString];
    await replica.stop(mode);
    expect([replica.state, replica.pid]).toEqual(["stopped", undefined]);
    await replica.stop(mode);
    await expect(replica.query("SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await replica.start();
    expect(replica.state).toBe("running");
    expect([replica.port, replica.directPort, replica.connectionString]).toEqual(before);
    await cluster.waitForStreaming();
    await expect(replica.start()).rejects.toMatchObject({ code: "ERR_BREAKWATER_CHAOS_STATE" });
  });

  it("restarts, so that clients lose their connection and can come back", async () => {
    const one = await client(primary);
    const lost = new Promise((resolve) => one.once("end", resolve));
    await primary.restart();
    await lost;
    const again = await client(primary);
    expect((await again.query("INSERT INTO t DEFAULT VALUES")).rowCount).toBe(1);
    await cluster.waitForStreaming();
  });

  it("is gone at once after kill, and keeps what it had acknowledged", async () => {
    await primary.query("INSERT INTO t DEFAULT VALUES");
    const before = await count(primary);
    const pid = primary.pid ?? 0;
    const children = await primary.query<{ pid: number }>("SELECT pid FROM pg_stat_activity");
    await primary.kill();
    expect([pid, ...children.map((row) => row.pid)].filter(isAlive)).toEqual([]);
    await primary.kill();
    await expect(client(primary)).rejects.toMatchObject({ code: "ECONNRESET" });
    await primary.start();
    expect(await count(primary)).toBe(before);
    await cluster.waitForStreaming();
  });

  it("hangs without losing a connection, and answers after resume", async () => {
    const one = await client(primary);
    primary.hang();
    expect(primary.state).toBe("hung");
    let settled = 0;
    const waiting = [one.query("SELECT 1"), client(primary)].map((each) => each.finally(() => settled++));
    await expect(primary.query("SELECT 1", [], 300)).rejects.toMatchObject({ code: "ERR_BREAKWATER_CHAOS_TIMEOUT" });
    await expect(primary.stop()).rejects.toMatchObject({ code: "ERR_BREAKWATER_CHAOS_STATE" });
    expect(await count(replica)).toBeGreaterThan(0);
    expect(settled).toBe(0);
    primary.resume();
    await Promise.all(waiting);
    expect(primary.state).toBe("running");
    await cluster.waitForStreaming();
  });

  it("can be killed and started while it hangs", async () => {
    replica.hang();
    await replica.kill();
    expect(replica.state).toBe("stopped");
    await replica.start();
    await cluster.waitForStreaming();
  });

  it("restarts by itself when one backend is killed", async () => {
    const [victim, bystander] = [await client(primary), await client(primary)];
    const lost = Promise.all([victim, bystander].map((each) => new Promise((resolve) => each.once("end", resolve))));
    const { rows } = await victim.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const { pid } = primary;
    await primary.killBackend(rows[0]?.pid ?? 0);
    await lost;
    await primary.waitUntilReady();
    expect(primary.pid).toBe(pid);
    expect(await count(primary)).toBeGreaterThan(0);
    await cluster.waitForStreaming();
    await expect(primary.killBackend(process.pid)).rejects.toThrow("pid must be a process of n1");
  });

  it("keeps a replica behind while its replay is paused", async () => {
    await replica.pauseReplay();
    const before = await count(replica);
    await primary.query("INSERT INTO t DEFAULT VALUES");
    await until("the row to be received", async () => {
      const [row] = await primary.query<{ arrived: boolean }>(
        "SELECT flush_lsn = pg_current_wal_flush_lsn() AS arrived FROM pg_stat_replication",
      );
      return row?.arrived;
    });
    expect(await count(replica)).toBe(before);
    await replica.resumeReplay();
    await until("the row to be applied", async () => (await count(replica)) === before + 1);
  });

  it("is cloned again from a server under load", async () => {
    const stop = new AbortController();
    const writing = (async () => {
      const one = await client(primary);
      while (!stop.signal.aborted) await one.query("INSERT INTO t SELECT FROM generate_series(1, 50)");
    })();
    await replica.reclone(primary);
    stop.abort();
    await writing;
    const wanted = await count(primary);
    await until("the clone to catch up", async () => (await count(replica)) === wanted);
    expect([replica.role, replica.state]).toEqual(["replica", "running"]);
  });

  it("is cloned again by follow when it cannot stream", async () => {
    // What it needs to go on is gone from the primary.
    await replica.stop();
    await primary.query("ALTER SYSTEM SET wal_keep_size = 0");
    await primary.query("SELECT pg_reload_conf()");
    for (let i = 0; i < 3; i++) {
      await primary.query("INSERT INTO t DEFAULT VALUES");
      await primary.query("SELECT pg_switch_wal()");
      await primary.query("CHECKPOINT");
    }
    await primary.query("ALTER SYSTEM RESET wal_keep_size");
    await primary.query("SELECT pg_reload_conf()");
    await replica.follow(primary);
    expect(replica.logTail(1000)).toContain("has already been removed");
    const wanted = await count(primary);
    await until("the replica to show all rows", async () => (await count(replica)) === wanted);
  });

  it("is promoted, and writes on a timeline of its own until it follows again", async () => {
    await expect(primary.promote()).rejects.toMatchObject({ code: "ERR_BREAKWATER_CHAOS_STATE" });
    await replica.promote();
    expect([replica.role, cluster.primary, cluster.replicas]).toEqual(["primary", replica, []]);
    await Promise.all([primary, replica].map((node) => node.query("INSERT INTO t DEFAULT VALUES")));
    await primary.follow(replica);
    expect([primary.role, cluster.replicas]).toEqual(["replica", [primary]]);
    await expect(primary.follow(primary)).rejects.toThrow("n1 cannot follow itself");
    await cluster.switchover();
    expect(cluster.primary).toBe(primary);
  });

  it("names itself, the wait and the log's end when a limit passes", async () => {
    replica.hang();
    onTestFinished(() => replica.resume());
    await expect(replica.waitUntilReady(50)).rejects.toMatchObject({
      code: "ERR_BREAKWATER_CHAOS_TIMEOUT",
      message: expect.stringMatching(/^n2 to answer: not within 50 ms; last error: [^]*end of the log of n2:/),
    });
  });
});
