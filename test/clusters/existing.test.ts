/** A cluster that was there before: only what SQL and the proxy can do, and only to hosts that were named. */
import { type Cluster, existing, startCluster } from "@breakwater/chaos";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf } from "../support/wait.ts";

describe("an existing cluster", () => {
  let own: Cluster;
  let cluster: Cluster;
  const addresses = (): string[] => own.nodes.map((node) => node.directConnectionString);
  const hosts = (): string[] => own.nodes.map((node) => `127.0.0.1:${node.directPort}`);

  beforeAll(async () => {
    own = await startCluster({ replicas: 1, password: "secret word" });
    // The replica first: who is the primary is asked.
    cluster = await startCluster({
      provider: existing({ nodes: addresses().toReversed(), allowFaultsOn: hosts() }),
    });
  });
  afterAll(async () => {
    await cluster.close();
    await own.close();
  });

  it("is refused unless every host is named", () => {
    expect(() => existing({ nodes: addresses(), allowFaultsOn: hosts().slice(1) })).toThrow(
      `allowFaultsOn must name ${hosts()[0]}`,
    );
    expect(() => existing({ nodes: ["mysql://x"], allowFaultsOn: [] })).toThrow(
      /nodes\[0\] must be a connection string/,
    );
  });

  it("is asked who the primary is, and reached through the proxies", async () => {
    expect(cluster.primary.directPort).toBe(own.primary.directPort);
    expect(cluster.replicas.map((node) => node.directPort)).toEqual([own.replicas[0]!.directPort]);
    const client = new pg.Client(cluster.primary.connectionString);
    await client.connect();
    client.on("error", () => {});
    expect(cluster.primary.proxy.cutAll("reset")).toBe(1);
    expect(await errorOf(client.query("SELECT 1"))).toBeInstanceOf(Error);
  });

  it("refuses what needs the machine, and says why", async () => {
    for (const refused of [
      () => cluster.primary.kill(),
      () => cluster.primary.stop(),
      () => cluster.failover(),
      () => cluster.switchover(),
      () => cluster.setSynchronous(true),
      () => cluster.replicas[0]!.reclone(cluster.primary),
    ]) {
      expect(await errorOf(refused())).toMatchObject({ code: "ERR_BREAKWATER_CHAOS_STATE" });
    }
    expect(() => cluster.primary.hang()).toThrow(/only SQL and the proxy may touch it/);
    expect(own.primary.state).toBe("running");
  });

  it("does what SQL can do", async () => {
    await cluster.waitForStreaming();
    const replica = cluster.replicas[0]!;
    const paused = "SELECT pg_is_wal_replay_paused() AS paused";
    await replica.pauseReplay();
    expect(await own.replicas[0]!.query(paused)).toEqual([{ paused: true }]);
    await replica.resumeReplay();
    expect(await own.replicas[0]!.query(paused)).toEqual([{ paused: false }]);
  });

  it("leaves the servers alone when it is closed", async () => {
    const second = await startCluster({ provider: existing({ nodes: addresses(), allowFaultsOn: hosts() }) });
    await second.close();
    await expect(own.primary.query("SELECT 1 AS one")).resolves.toEqual([{ one: 1 }]);
  });

  it("shows no password in its errors", async () => {
    const wrong = addresses().map((address) => address.replace("secret%20word", "another"));
    const error = await errorOf(startCluster({ provider: existing({ nodes: wrong, allowFaultsOn: hosts() }) }));
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_CHAOS_SETUP" });
    expect(String(error)).not.toContain("another");
  });
});
