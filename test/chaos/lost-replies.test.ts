import { type Cluster, startCluster } from "@breakwater/chaos";
import { afterAll, beforeAll, describe, it } from "vitest";
import { expectLostRepliesHarmless } from "../support/lost-replies.ts";

describe("lost answers to COMMIT", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
  });
  afterAll(() => cluster.close());

  it.each([3, 7])("of each %i-th of 300 transactions: none fails, none is doubled, none is lost", async (every) => {
    await expectLostRepliesHarmless(cluster, { calls: 300, every, kind: "transaction" });
  });

  it.each([3, 7])("of each %i-th of 300 inserts that say exactlyOnce: the same", async (every) => {
    await expectLostRepliesHarmless(cluster, { calls: 300, every, kind: "exactlyOnce" });
  });
});
