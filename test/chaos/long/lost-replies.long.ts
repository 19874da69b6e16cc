import { type Cluster, startCluster } from "@breakwater/chaos";
import { afterAll, beforeAll, describe, it } from "vitest";
import { expectLostRepliesHarmless } from "../../support/lost-replies.ts";

describe("lost answers to COMMIT", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
  });
  afterAll(() => cluster.close());

  it.each([1, 2, 3, 7])("of each %i-th of 2,000 transactions: none fails, is doubled or is lost", async (every) => {
    await expectLostRepliesHarmless(cluster, { calls: 2_000, every, kind: "transaction" });
  });

  it.each([1, 3])("of each %i-th of 2,000 inserts that say exactlyOnce: the same", async (every) => {
    await expectLostRepliesHarmless(cluster, { calls: 2_000, every, kind: "exactlyOnce" });
  });
});
