import { describe, expect, it } from "vitest";
import { causalPairs } from "./support/causal.ts";
import { startMariaCluster } from "./support/cluster.ts";
import { SKIPPED, WHY_NOT } from "./support/server.ts";

describe.skipIf(WHY_NOT)(`reads of one's own writes on MariaDB${SKIPPED}`, () => {
  it("are never stale, and the replica serves them", async () => {
    await using cluster = await startMariaCluster();
    const { stale, fromReplica, staleWithout } = await causalPairs(cluster, 1_000);
    expect(stale).toBe(0);
    // What does not ask for it shows that the replica is behind.
    expect(staleWithout).toBeGreaterThan(0);
    expect(fromReplica).toBeGreaterThan(900);
  });

  it("are never stale after the primary has changed, twice", async () => {
    await using cluster = await startMariaCluster();
    const [first, second] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]];
    for (const [old, heir] of [
      [first, second],
      [second, first],
    ] as const) {
      await old.server.query("SET GLOBAL read_only = 1");
      await cluster.caughtUp(heir);
      await cluster.promote(heir);
      await cluster.follow(old);
      const { stale, fromReplica } = await causalPairs(cluster, 200);
      expect(stale).toBe(0);
      expect(fromReplica).toBeGreaterThan(150);
    }
  });
});
