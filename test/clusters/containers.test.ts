/** Clusters in containers do what clusters on this machine do. BREAKWATER_CONTAINERS names the image, such as `postgres:17`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { containers } from "@breakwater/chaos/containers";
import { breakwater } from "breakwater";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { command } from "../scenarios/command.ts";
import { errorOf, until } from "../support/wait.ts";

const image = process.env["BREAKWATER_CONTAINERS"] ?? "";
const why = image === "" ? " (BREAKWATER_CONTAINERS names no image)" : "";

describe("containers", () => {
  it("refuses bad options at once", () => {
    expect(() => containers({ image: "" })).toThrow(/image must be the name of an image/);
    expect(() => containers({ image: "postgres:17", startLimitMs: 0 })).toThrow(
      /startLimitMs must be a number above 0/,
    );
  });
});

describe.skipIf(image === "")(`a cluster in containers${why}`, { timeout: 120_000 }, () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ provider: containers({ image }) });
  }, 180_000);
  afterAll(() => cluster.close());

  it("streams to two replicas, and asks for a password", async () => {
    expect(cluster.replicas).toHaveLength(2);
    const url = new URL(cluster.primary.connectionString);
    url.password = "wrong";
    const client = new pg.Client(url.href);
    expect(await errorOf(client.connect())).toMatchObject({ code: "28P01" });
  });

  it("keeps its addresses through kill and start", async () => {
    const node = cluster.replicas[0]!;
    const { connectionString } = node;
    await node.kill();
    expect(node.state).toBe("stopped");
    await node.start();
    await cluster.waitForStreaming();
    const client = new pg.Client(connectionString);
    await client.connect();
    expect((await client.query("SELECT pg_is_in_recovery() AS standby")).rows).toEqual([{ standby: true }]);
    await client.end();
  });

  it("hangs and goes on", async () => {
    const node = cluster.replicas[0]!;
    node.hang();
    await until("the node to hang", async () => {
      const answer = node.query("SELECT 1", [], 300);
      return answer.then(
        () => false,
        () => true,
      );
    });
    expect(node.state).toBe("hung");
    node.resume();
    await node.waitUntilReady();
    expect(node.state).toBe("running");
  });

  it("recovers from a killed backend", async () => {
    const client = new pg.Client(cluster.primary.connectionString);
    client.on("error", () => {});
    await client.connect();
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await cluster.primary.killBackend(rows[0]!.pid);
    await cluster.primary.waitUntilReady();
    expect(await errorOf(client.query("SELECT 1"))).toBeInstanceOf(Error);
    await expect(cluster.primary.killBackend(1)).rejects.toThrow(/pid must be a process of n1/);
  });

  it("fails over under the recommended stack without a failed call", async () => {
    await cluster.waitForStreaming();
    await cluster.setSynchronous(true);
    const [primary, ...replicas] = cluster.nodes.map((node) => node.connectionString);
    const db = breakwater({ primary: primary!, replicas });
    await db.query("CREATE TABLE orders (id int PRIMARY KEY)");
    const load = { on: true };
    let acknowledged = 0;
    const writing = (async () => {
      for (let id = 1; load.on; id += 1) {
        await db.query("INSERT INTO orders VALUES ($1)", [id], { exactlyOnce: true });
        acknowledged += 1;
      }
    })();
    await until("some orders", () => Promise.resolve(acknowledged >= 20));
    const old = cluster.primary;
    await cluster.failover({ kill: "kill" });
    const before = acknowledged;
    await until("more orders", () => Promise.resolve(acknowledged >= before + 20));
    load.on = false;
    await writing;
    expect(await db.query("SELECT count(*)::int AS n FROM orders", [], { consistency: "strong" })).toMatchObject({
      rows: [{ n: acknowledged }],
    });
    await old.follow(cluster.primary);
    await cluster.waitForStreaming();
    await db.close();
  });

  it("switches over", async () => {
    const old = cluster.primary;
    const next = await cluster.switchover();
    expect(next).not.toBe(old);
    expect(old.role).toBe("replica");
  });
});

describe.skipIf(image === "")(`a ready scenario in containers${why}`, { timeout: 240_000 }, () => {
  it.each(["reply-loss", "failover"])("has the same end as on this machine: %s", async (name) => {
    const folder = await mkdtemp(path.join(tmpdir(), "breakwater-containers-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const run = ["chaos", "run", name, "--image", image, "--seed", "7"];
    expect(await command(folder, ...run)).toMatchObject({ code: 0, error: "" });
    const bare = await command(folder, ...run, "--against", "bare");
    expect([bare.code, bare.out]).toEqual([1, expect.stringContaining("doubled-write")]);
  });
});
