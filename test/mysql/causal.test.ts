import { describe, expect, it } from "vitest";
import { causalPairs, readBehind } from "./support/causal.ts";
import { startMariaCluster } from "./support/cluster.ts";
import { SKIPPED, WHY_NOT } from "./support/server.ts";

/** How many pairs of a write and a read there are; more by BREAKWATER_CAUSAL_PAIRS. */
const PAIRS = Number(process.env["BREAKWATER_CAUSAL_PAIRS"] ?? 1_000);

describe.skipIf(WHY_NOT)(`reads of one's own writes on MariaDB${SKIPPED}`, () => {
  it("are never stale, and the replica serves them", async () => {
    await using cluster = await startMariaCluster();
    const { stale, fromReplica } = await causalPairs(cluster, PAIRS);
    expect(stale).toBe(0);
    expect(fromReplica).toBeGreaterThan(PAIRS * 0.9);
    // What does not ask for it shows that a replica can be behind.
    expect(await readBehind(cluster)).toEqual({ own: 1, loose: 0 });
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
