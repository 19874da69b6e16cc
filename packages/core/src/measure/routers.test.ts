import { describe, expect, it } from "vitest";
import type { PolicyStats, PoolStats } from "../contract/pool.ts";
import { fakePool } from "../testing/index.ts";
import { routersStanding } from "./routers.ts";

const stats = (...policies: readonly PolicyStats[]): PoolStats => ({ ...fakePool().stats(), policies });

describe("routersStanding", () => {
  const router = (lagMs: number, waitingForNode: number): PolicyStats => ({
    policy: "router",
    nodes: { db1: {}, db2: { lagMs, draining: true } },
    waitingForNode,
  });

  it("tells what the router of a stack says, wherever it stands", () => {
    const { nodes, waitingForNode } = routersStanding(stats({ policy: "retry" }, router(5, 2)));
    expect([...nodes]).toEqual([
      ["db1", {}],
      ["db2", { lagMs: 5, draining: true }],
    ]);
    expect(waitingForNode).toBe(2);
  });

  it("tells those of all destinations, by the names of their nodes", () => {
    const destinations = {
      shop: { stats: stats({ policy: "timeout" }, router(5, 2)) },
      plain: { stats: stats() },
      ["__proto__"]: { stats: stats(router(7, 1)) },
    };
    const { nodes, waitingForNode } = routersStanding(stats({ policy: "destinations", destinations }));
    expect([...nodes.keys()]).toEqual(["shop/db1", "shop/db2", "__proto__/db1", "__proto__/db2"]);
    expect(nodes.get("__proto__/db2")?.lagMs).toBe(7);
    expect(waitingForNode).toBe(3);
  });

  it("has nothing to tell without a router", () => {
    expect(routersStanding(stats({ policy: "retry" }))).toEqual({ nodes: new Map(), waitingForNode: undefined });
  });
});
