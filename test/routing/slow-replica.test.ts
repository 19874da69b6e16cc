import { type Cluster, startCluster } from "@breakwater/chaos";
import type { EventMap } from "@breakwater/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { breakwater } from "breakwater";
import { until } from "../support/wait.ts";

describe("a replica far slower than the other", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 2 });
  });

  afterAll(async () => {
    await cluster.close();
  });

  it("is left out within 10 s, and back within 30 s of its recovery; where both are slow, none is", async () => {
    const { primary, replicas } = cluster;
    await using db = breakwater({
      primary: primary.connectionString,
      replicas: replicas.map((node, index) => ({ source: node.connectionString, name: `replica ${index + 1}` })),
    });
    const ejected: EventMap["router:node-ejected"][] = [];
    let readmitted = 0;
    db.on("router:node-ejected", (event) => void ejected.push(event));
    db.on("router:node-readmitted", () => void (readmitted += 1));
    const over = new AbortController();
    const caller = async (): Promise<void> => {
      while (!over.signal.aborted) await db.query("SELECT 1", [], { consistency: "eventual" });
    };
    await db.ready();
    await until("all nodes to be known", () => db.topology.nodes.every(({ state }) => state === "up"));
    const callers = Promise.all(Array.from({ length: 8 }, caller));
    const passes = async (ms: number): Promise<void> => {
      const end = performance.now() + ms;
      await until("time to pass", () => performance.now() > end);
    };
    try {
      // Far more than what a busy machine adds to it, for one of them as for the other.
      for (const { proxy } of replicas) proxy.setLatency(80);
      await passes(5_000);
      expect(ejected).toEqual([]);

      replicas[1]?.proxy.setLatency(8);
      const slowAt = performance.now();
      await until("the slow one to be left out", () => ejected.length > 0);
      expect(performance.now() - slowAt).toBeLessThan(10_000);
      expect(ejected[0]).toMatchObject({ node: "replica 1", cause: "latency" });

      replicas[0]?.proxy.setLatency(8);
      const wellAt = performance.now();
      await until("it to be back", () => readmitted > 0);
      expect(performance.now() - wellAt).toBeLessThan(30_000);
      await passes(4_000);
      expect(ejected).toHaveLength(1);
    } finally {
      over.abort();
      await callers;
    }
  });
});
