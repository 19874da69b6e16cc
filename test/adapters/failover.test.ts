/** The failover scenario on another driver: a primary is killed under load, and nobody notices. */
import { startCluster } from "@breakwater/chaos";
import { fromPostgresJs } from "@breakwater/postgres-js";
import { breakwater, ledgerTableSql } from "breakwater";
import { expect, it } from "vitest";
import { reasons, Traffic, TRAFFIC_TABLE } from "../routing/support/traffic.ts";

it(
  "postgres.js: a primary is killed and a replica promoted: failed 0, lost 0, doubled 0",
  { timeout: 300_000 },
  async () => {
    await using cluster = await startCluster({ replicas: 2, synchronous: true });
    for (const text of [TRAFFIC_TABLE, ledgerTableSql()]) await cluster.primary.query(text);
    const [next, other] = cluster.replicas;
    const old = cluster.primary;
    await using db = breakwater({
      primary: fromPostgresJs(old.connectionString),
      replicas: cluster.replicas.map((node) => fromPostgresJs(node.connectionString)),
      commitResolution: { ledger: true },
    });
    const traffic = new Traffic(db, 100);
    try {
      await traffic.nextWrite();
      await old.kill();
      await next!.promote();
      await other!.follow(next!);
      await traffic.nextWrite();
      await traffic.nextWrite();
    } finally {
      await traffic.stop();
    }
    expect(reasons(traffic.failed)).toEqual({});
    const rows = await next!.query<{ id: string }>("SELECT id FROM traffic ORDER BY id");
    // Each once, and none but those.
    expect(rows.map(({ id }) => Number(id))).toEqual(traffic.calls.flatMap(({ id }) => (id === undefined ? [] : [id])));
  },
);
