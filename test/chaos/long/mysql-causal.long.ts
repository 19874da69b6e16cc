import { describe, expect, it } from "vitest";
import { causalPairs } from "../../mysql/support/causal.ts";
import { startMariaCluster } from "../../mysql/support/cluster.ts";
import { SKIPPED, WHY_NOT } from "../../mysql/support/server.ts";

describe.skipIf(WHY_NOT)(`reads of one's own writes on MariaDB${SKIPPED}`, () => {
  it("are never stale in 10,000 pairs", async () => {
    await using cluster = await startMariaCluster();
    const { stale, fromReplica } = await causalPairs(cluster, 10_000);
    expect(stale).toBe(0);
    expect(fromReplica).toBeGreaterThan(9_000);
  }, 600_000);
});
