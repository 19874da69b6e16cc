import { Client } from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../wait.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { isAlive } from "./local/processes.ts";
import type { ClusterNode } from "./node.ts";
import type { ClusterOptions } from "./options.ts";

const limit = 120_000;

/** A cluster for one test, with an empty table. */
async function started(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await startCluster(options);
  onTestFinished(() => cluster.close());
  await cluster.primary.query("CREATE TABLE t (i int PRIMARY KEY)");
  for (const replica of cluster.replicas) await shows(replica, []);
  return cluster;
}

async function insert(node: ClusterNode, i: number): Promise<void> {
  await node.query("INSERT INTO t VALUES ($1)", [i]);
}

async function rows(node: ClusterNode): Promise<number[]> {
  return (await node.query<{ i: number }>("SELECT i FROM t ORDER BY i")).map((row) => row.i);
}

/** Waits until the node shows exactly these rows. */
async function shows(node: ClusterNode, wanted: readonly number[]): Promise<void> {
  await until(`${node.name} to show ${wanted.join()}`, async () => (await rows(node)).join() === wanted.join());
}

/** Keeps a promise's fate without leaving a rejection unhandled. */
function watched(promise: Promise<unknown>): { settled: () => boolean; promise: Promise<unknown> } {
  let settled = false;
  const mark = (): void => void (settled = true);
  promise.then(mark, mark);
  return { settled: () => settled, promise };
}

describe("a cluster", { timeout: limit }, () => {
  it("replicates, and refuses writes on replicas", async () => {
    const cluster = await started();
    expect(cluster.nodes.map((node) => [node.name, node.role, node.state])).toEqual([
      ["n1", "primary", "running"],
      ["n2", "replica", "running"],
      ["n3", "replica", "running"],
    ]);
    const client = new Client({ connectionString: cluster.primary.connectionString });
    await client.connect();
    await client.query("INSERT INTO t VALUES (1)");
    await client.end();
    for (const replica of cluster.replicas) {
      await shows(replica, [1]);
      await expect(insert(replica, 2)).rejects.toMatchObject({ code: "25006" });
    }
    expect(cluster.node("n2")).toBe(cluster.nodes[1]);
    expect(() => cluster.node("n4")).toThrow(new RangeError("node must be one of n1, n2, n3, got n4"));
  });

  it("fails over by a crash, keeps addresses, and takes the old primary back", async () => {
    const cluster = await started();
    const old = cluster.primary;
    await insert(old, 1);
    for (const replica of cluster.replicas) await shows(replica, [1]);
    const pid = old.pid ?? 0;
    const next = await cluster.failover();
    expect(isAlive(pid)).toBe(false);
    expect([old.state, old.pid, cluster.primary, cluster.replicas.length]).toEqual(["stopped", undefined, next, 1]);
    await insert(next, 2);
    for (const replica of cluster.replicas) await shows(replica, [1, 2]);
    const { port } = old;
    await expect(cluster.failover({ to: old })).rejects.toMatchObject({ code: "ERR_BREAKWATER_CHAOS_STATE" });
    await old.follow(next);
    expect([old.role, old.port]).toEqual(["replica", port]);
    await shows(old, [1, 2]);
    expect(await cluster.failover({ kill: "immediate", to: old })).toBe(old);
    expect(await rows(old)).toEqual([1, 2]);
  });

  it("promotes the replica that received most", async () => {
    const cluster = await started();
    const [behind, ahead] = [cluster.node("n2"), cluster.node("n3")];
    // What a stopped replica has missed it cannot catch up once the primary is gone.
    await behind.stop();
    await insert(cluster.primary, 1);
    await shows(ahead, [1]);
    cluster.primary.hang();
    await behind.start();
    expect(await cluster.failover()).toBe(ahead);
    await shows(behind, [1]);
  });

  it("clones a replica again that has gone past the end of the new primary's history", async () => {
    const cluster = await started({ synchronous: true });
    const old = cluster.primary;
    const [behind, ahead] = [cluster.node("n2"), cluster.node("n3")];
    // The replica that is ahead will ask for this segment again and again: the longer that takes, the more it looks as if it streamed.
    await old.query(`DO $$ BEGIN WHILE (pg_current_wal_lsn() - '0/0')::int8 % 16777216 < 15000000 LOOP
      PERFORM pg_logical_emit_message(false, 'fill', repeat('x', 200000)); END LOOP; END $$`);
    await insert(old, 1);
    await shows(behind, [1]);
    await behind.stop();
    await insert(old, 2);
    await shows(ahead, [1, 2]);
    await old.kill();
    await behind.start();
    const next = await cluster.failover({ to: behind });
    expect(await rows(next)).toEqual([1]);
    // A commit waits for a replica, which must be one that can follow.
    await insert(next, 3);
    await shows(ahead, [1, 3]);
  });

  it("leaves two primaries when the old one only hung, and clones the old one to bring it back", async () => {
    const cluster = await started({ replicas: 1 });
    const old = cluster.primary;
    const next = await cluster.failover({ kill: "hang" });
    expect(old.state).toBe("hung");
    await insert(next, 1);
    old.resume();
    await old.waitUntilReady();
    await insert(old, 2);
    expect([await rows(old), await rows(next)]).toEqual([[2], [1]]);
    await old.follow(next);
    await shows(old, [1]);
  });

  it("switches over without losing a row, and back", async () => {
    const cluster = await started();
    const first = cluster.primary;
    await insert(first, 1);
    const second = await cluster.switchover();
    await insert(second, 2);
    expect([first.role, first.state, cluster.replicas.length]).toEqual(["replica", "running", 2]);
    expect(await cluster.switchover({ to: first })).toBe(first);
    await insert(first, 3);
    for (const replica of cluster.replicas) await shows(replica, [1, 2, 3]);
  });

  it("waits for a replica in synchronous mode, in a new primary too", async () => {
    const cluster = await started({ replicas: 2, synchronous: true });
    const names = async (): Promise<unknown> => (await cluster.primary.query("SHOW synchronous_standby_names"))[0];
    expect(await names()).toEqual({ synchronous_standby_names: "ANY 1 (n2, n3)" });
    const next = await cluster.failover();
    const [left] = cluster.replicas;
    if (left === undefined) throw new Error("one replica is left");
    expect(await names()).toEqual({ synchronous_standby_names: `ANY 1 (${left.name})` });

    left.hang();
    const commit = watched(next.query("INSERT INTO t VALUES (1)", [], limit));
    await until("the commit to wait for its standby", async () => {
      const waiting = await next.query("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
      return waiting.length === 1;
    });
    expect(commit.settled()).toBe(false);
    left.resume();
    await commit.promise;

    left.hang();
    const released = watched(next.query("INSERT INTO t VALUES (2)", [], limit));
    await until("the commit to wait for its standby", async () => {
      const waiting = await next.query("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
      return waiting.length === 1;
    });
    await cluster.setSynchronous(false);
    await released.promise;
    expect(cluster.synchronous).toBe(false);
    left.resume();
    await cluster.setSynchronous(true);
    await cluster.node("n1").follow(next);
    expect(await names()).toEqual({
      synchronous_standby_names: `ANY 1 (${cluster.replicas.map((node) => node.name).join(", ")})`,
    });
  });

  it("asks every TCP client for the password, and still replicates and fails over", async () => {
    const password = `it's "a\\b" /% ü`;
    const cluster = await started({ replicas: 1, password });
    const node = cluster.primary;
    const connect = async (given: string): Promise<void> => {
      const client = new Client({ host: "127.0.0.1", port: node.port, user: "postgres", password: given });
      client.on("error", () => {});
      await client.connect();
      await client.end();
    };
    await connect(password);
    await expect(connect("wrong")).rejects.toMatchObject({ code: "28P01" });
    const client = new Client({ connectionString: node.connectionString });
    await client.connect();
    await client.query("INSERT INTO t VALUES (1)");
    await client.end();
    await shows(cluster.node("n2"), [1]);
    const next = await cluster.failover();
    await node.follow(next);
    await shows(node, [1]);
  });

  it("passes settings on to every node", async () => {
    const cluster = await started({ replicas: 1, settings: { max_connections: "37", log_line_prefix: "it's \\ %p " } });
    for (const node of cluster.nodes) {
      expect(await node.query("SHOW max_connections")).toEqual([{ max_connections: "37" }]);
      expect(await node.query("SHOW log_line_prefix")).toEqual([{ log_line_prefix: "it's \\ %p " }]);
    }
  });

  it("closes twice, at once, with a hung node, a crashed one and a client, and is then closed", async () => {
    const cluster = await started({ replicas: 2 });
    const client = new Client({ connectionString: cluster.primary.connectionString });
    const lost = new Promise((resolve) => client.once("error", resolve));
    client.on("error", () => {});
    await client.connect();
    const pids = cluster.nodes.map((node) => node.pid ?? 0);
    cluster.node("n2").hang();
    await cluster.node("n3").kill();
    await Promise.all([cluster.close(), cluster.close()]);
    await cluster[Symbol.asyncDispose]();
    await lost;
    expect(pids.filter(isAlive)).toEqual([]);
    expect(cluster.nodes.map((node) => node.state)).toEqual(["stopped", "stopped", "stopped"]);
    await expect(cluster.failover()).rejects.toMatchObject({ code: "ERR_BREAKWATER_CHAOS_STATE" });
  });
});

describe("startCluster", { timeout: limit }, () => {
  it.each([
    [{ replica: 1 }, "startCluster: unknown option replica; known: replicas"],
    [{ replicas: 9 }, "replicas must be an integer from 0 to 8, got 9"],
    [{ replicas: "2" }, 'replicas must be an integer from 0 to 8, got "2"'],
    [{ synchronous: "yes" }, 'synchronous must be true or false, got "yes"'],
    [{ binaries: "/nonexistent" }, 'binaries must be a folder with postgres and initdb, got "/nonexistent"'],
    [{ settings: { port: "1" } }, "settings.port is set by the kit itself"],
    [{ settings: { "work mem": "1MB" } }, 'settings must be names of server settings, got "work mem"'],
    [{ settings: { work_mem: 1 } }, "settings.work_mem must be a string without line ends, got 1"],
    [{ password: "" }, "password must be a text of one line, not empty"],
  ])("refuses %o", async (options, message) => {
    await expect(startCluster(options as ClusterOptions)).rejects.toThrow(RangeError);
    await expect(startCluster(options as ClusterOptions)).rejects.toThrow(message);
  });

  it("shows the server's own words when it cannot start, and leaves nothing", async () => {
    const starting = startCluster({ replicas: 0, settings: { shared_buffers: "lots" } });
    await expect(starting).rejects.toMatchObject({
      code: "ERR_BREAKWATER_CHAOS_SETUP",
      message: expect.stringMatching(/invalid value for parameter "shared_buffers": "lots"/),
    });
  });
});
