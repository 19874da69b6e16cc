import { existsSync } from "node:fs";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { failureOf } from "@breakwater/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, begun, committed, endOn } from "../support/asking.ts";
import { OTHER_VERSION } from "../support/database.ts";
import { errorOf, until } from "../support/wait.ts";

const versions: readonly (readonly [string, string | undefined])[] = [
  ["embedded", undefined],
  [existsSync(OTHER_VERSION) ? "15" : "15 (skipped: its binaries are not here)", OTHER_VERSION],
];

describe.each(versions)("the outcome of a transaction, PostgreSQL %s", (_label, binaries) => {
  let cluster: Cluster;
  const present = binaries === undefined || existsSync(binaries);

  beforeAll(async () => {
    if (!present) return;
    const settings = { max_prepared_transactions: "2" };
    cluster = await startCluster({ replicas: 1, settings, ...(binaries === undefined ? {} : { binaries }) });
    await cluster.primary.query(`CREATE ROLE plain LOGIN; CREATE ROLE bound LOGIN;
      CREATE TABLE kept (at timestamptz DEFAULT now()); GRANT ALL ON kept TO PUBLIC`);
  });
  afterAll(() => cluster?.close());

  it.skipIf(!present)("is proved within one life: open, committed, rolled back, ended", async () => {
    const node = cluster.primary;
    expect(await ask(node, await committed(node))).toBe("committed");
    const open = await begun(node);
    expect(await ask(node, open.transaction)).toBe("in-progress");
    await open.client.query("ROLLBACK");
    expect(await ask(node, open.transaction)).toBe("rolled-back");
    await open.client.end();
    const left = await begun(node);
    await endOn(node, left.transaction);
    await until("the process to be gone", async () => (await ask(node, left.transaction)) === "rolled-back");
  });

  it.skipIf(!present)("is proved to a role without any privilege", async () => {
    const node = cluster.primary;
    expect(await ask(node, await committed(node, "plain"), "plain")).toBe("committed");
    const left = await begun(node, "plain");
    await endOn(node, left.transaction, "plain");
    await until("the process to be gone", async () => (await ask(node, left.transaction, "plain")) === "rolled-back");
  });

  it.skipIf(!present)("does not end a process that has gone on to another transaction", async () => {
    const node = cluster.primary;
    const { client, transaction } = await begun(node);
    await client.query("COMMIT");
    await client.query("BEGIN; INSERT INTO kept DEFAULT VALUES");
    await endOn(node, transaction);
    expect((await client.query("COMMIT")).command).toBe("COMMIT");
    await client.end();
  });

  it.skipIf(!present)("is open while it is prepared, through restarts and whoever asks", async () => {
    const node = cluster.primary;
    const { client, transaction } = await begun(node);
    await client.query("CREATE TABLE IF NOT EXISTS prepared (n int); PREPARE TRANSACTION 'one'");
    await client.end();
    expect(await ask(node, transaction)).toBe("in-progress");
    await node.kill();
    await node.start();
    expect(await ask(node, transaction)).toBe("in-progress");
    await node.query("ROLLBACK PREPARED 'one'");
    expect(await ask(node, transaction)).toBe("rolled-back");
  });

  it.skipIf(!present)("does not take a clean restart for the same life", async () => {
    const node = cluster.primary;
    const kept = await committed(node);
    await node.restart();
    expect(await ask(node, kept)).toBe("unprovable");
  });

  it.skipIf(!present)("does not take the life after a crash of one process for the same one", async () => {
    const node = cluster.primary;
    const kept = await committed(node);
    const victim = await begun(node);
    await node.killBackend(victim.transaction.processId);
    await node.waitUntilReady();
    expect(await ask(node, kept)).toBe("unprovable");
    expect(await ask(node, victim.transaction)).toBe("rolled-back");
  });

  it.skipIf(!present)("says open, never rolled back, when somebody resets the statistics meanwhile", async () => {
    const node = cluster.primary;
    const { client, transaction } = await begun(node);
    await node.query("SELECT pg_stat_reset_shared('bgwriter')");
    expect(await ask(node, transaction)).toBe("in-progress");
    await client.query("COMMIT");
    await client.end();
    expect(await ask(node, transaction)).toBe("unprovable");
  });

  it.skipIf(!present)("does with less proof what a provider leaves to a role", async () => {
    const node = cluster.primary;
    await node.query(`REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC;
      REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC`);
    expect(await ask(node, await committed(node, "bound"), "bound")).toBe("committed");
    await node.query("REVOKE SELECT ON pg_stat_bgwriter FROM PUBLIC");
    expect(await ask(node, await committed(node, "bound"), "bound")).toBe("unprovable");
    const { client, transaction } = await begun(node, "bound");
    expect(await ask(node, transaction, "bound")).toBe("in-progress");
    await client.query("ROLLBACK");
    await client.end();
    expect(await ask(node, transaction, "bound")).toBe("rolled-back");
    await node.query(`GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC;
      GRANT EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) TO PUBLIC; GRANT SELECT ON pg_stat_bgwriter TO PUBLIC`);
  });

  it.skipIf(!present)("is not told by a standby, which may not have seen it yet", async () => {
    const [standby] = cluster.replicas;
    await cluster.waitForStreaming();
    const kept = await committed(cluster.primary);
    const future = { ...kept, id: String(Number(kept.id) + 1_000_000) };
    for (const transaction of [kept, future]) {
      const error = await errorOf(ask(standby!, transaction));
      expect(failureOf(error)).toMatchObject({ retry: "primary", effect: "none" });
    }
  });

  it.skipIf(!present)("is not told by a primary of an older history; a newer one knows what was not kept", async () => {
    const old = cluster.primary;
    await cluster.waitForStreaming();
    const before = await committed(old);
    const open = await begun(old);
    const next = await cluster.failover({ kill: "none" });
    expect(await ask(next, open.transaction)).toBe("rolled-back");
    let after = await committed(next);
    while (BigInt(after.id) < BigInt(open.transaction.id)) after = await committed(next);
    const error = await errorOf(ask(old, after));
    expect(failureOf(error)).toMatchObject({ retry: "other-node", effect: "none" });
    expect(await ask(next, before)).toBe("unprovable");
    // By now the number is another transaction's, which has committed.
    expect(after.id).toBe(open.transaction.id);
    expect(await ask(next, open.transaction)).toBe("unprovable");
    await open.client.end();
  });

  it.skipIf(!present)("is not told by another cluster", async () => {
    const node = cluster.primary;
    const kept = await committed(node);
    const [started, reset, timeline] = kept.incarnation.split("/");
    const error = await errorOf(ask(node, { ...kept, incarnation: `${started}/${reset}/${timeline}/1` }));
    expect(failureOf(error).retry).toBe("other-node");
  });
});
