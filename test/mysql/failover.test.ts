import { seededRandom } from "@breakwater/core";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { NOTHING_AMISS } from "../support/history.ts";
import { until } from "../support/wait.ts";
import { startMariaCluster } from "./support/cluster.ts";
import { SKIPPED, WHY_NOT } from "./support/server.ts";
import { noConnectionLeft, stackOn } from "./support/stack.ts";
import { prepare, truthOf, Workload } from "./support/workload.ts";

describe.skipIf(WHY_NOT)(`a failover of MariaDB under load${SKIPPED}`, () => {
  it.each(["killed", "hung"])("is latency and nothing else: the primary is %s, its replica promoted", async (end) => {
    await using cluster = await startMariaCluster({ semiSync: true });
    await prepare(cluster);
    const db = stackOn(cluster);
    const load = new Workload(db, 1);
    await load.history.acknowledged(300);
    const [old, heir] = [cluster.primary, cluster.replicas[0]!];
    if (end === "killed") await old.server.kill();
    else old.server.signal("SIGSTOP");
    await cluster.promote(heir);
    await load.history.acknowledged(300);
    await load.stop();
    const { history } = load;
    expect([history.count("failed"), history.count("unknown")], JSON.stringify(history.errors)).toStrictEqual([0, 0]);
    expect(await truthOf(history, cluster)).toStrictEqual(NOTHING_AMISS);
    await db.close();
    await old.server.kill();
    await noConnectionLeft(cluster);
  });

  it("leaves an old primary alone that comes back writable", async () => {
    await using cluster = await startMariaCluster({ semiSync: true });
    await prepare(cluster);
    const db = stackOn(cluster);
    const fenced: string[] = [];
    db.on("router:node-fenced", ({ node }) => fenced.push(node));
    const [old, heir] = [cluster.primary, cluster.replicas[0]!];
    await db.query("INSERT INTO log (id, kind) VALUES ('before', 'x')");
    await old.server.kill();
    await cluster.promote(heir);
    await db.query("INSERT INTO log (id, kind) VALUES ('after', 'x')");
    await cluster.restart(old);
    await until("the old primary to be fenced", () => fenced.includes("node1"));
    for (let at = 0; at < 20; at += 1) await db.query("INSERT INTO log (id, kind) VALUES (?, 'x')", [`later ${at}`]);
    const [there] = await heir.server.query<{ n: number }>("SELECT COUNT(*) AS n FROM app.log");
    const [elsewhere] = await old.server.query<{ n: number }>("SELECT COUNT(*) AS n FROM app.log");
    expect([there?.n, elsewhere?.n]).toStrictEqual([22, 1]);
    await db.close();
    await noConnectionLeft(cluster);
  });

  it("does not matter to callers whose answers are lost all the time", async () => {
    await using cluster = await startMariaCluster({ replicas: 0 });
    await prepare(cluster);
    const db = stackOn(cluster);
    const outcomes: string[] = [];
    db.on("commit-resolution:resolved", ({ outcome, by }) => outcomes.push(`${outcome} by ${by}`));
    const random = seededRandom(3);
    const load = new Workload(db, 2);
    const { proxy } = cluster.primary;
    for (let strike = 0; strike < 80; strike += 1) {
      await load.history.acknowledged(5 + Math.floor(random() * 10));
      // What has been sent is done, and the answer never arrives.
      proxy.freeze("toClient");
      await delay(random() * 5);
      proxy.cutOne(random);
      proxy.thaw("toClient");
    }
    await load.stop();
    const { history } = load;
    expect([history.count("failed"), history.count("unknown")], JSON.stringify(history.errors)).toStrictEqual([0, 0]);
    expect(await truthOf(history, cluster)).toStrictEqual(NOTHING_AMISS);
    expect(outcomes).toContain("committed by ledger");
    await db.close();
    await noConnectionLeft(cluster);
  });
});
