/** A cluster that somebody else manages: Patroni does its own switchover and failover, and callers do not notice. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import pg from "pg";
import { breakwater, type Database, fromPg, ledgerTableSql, patroniSource } from "breakwater";
import { isWhole, PatroniCluster, whyNoPatroni } from "./support/patroni.ts";
import { reasons, Traffic, TRAFFIC_TABLE } from "./support/traffic.ts";

const LIMIT_MS = 240_000;
// It takes Patroni more than twenty seconds to find that a leader is lost: too long for every run.
const wanted = Number(process.env["BREAKWATER_ROUNDS"] ?? 1) >= 10 || process.env["BREAKWATER_PATRONI"] === "1";
const why = wanted ? whyNoPatroni() : "it takes two minutes: set BREAKWATER_PATRONI=1";

let cluster: PatroniCluster | undefined;
let db: Database | undefined;

const config = (port: number) => ({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });

async function ask<Row extends object>(port: number, text: string): Promise<Row[]> {
  const client = new pg.Client(config(port));
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

async function leader(): Promise<{ name: string; port: number }> {
  const members = await (cluster as PatroniCluster).waitFor((all) => isWhole(all, 3));
  const found = members.find(({ role }) => role === "leader");
  return { name: found?.name ?? "", port: found?.port ?? 0 };
}

/** Who may take over: without a synchronous standby Patroni lets nobody, lest something be lost. */
async function successor(patroni: PatroniCluster): Promise<string> {
  const ready = await patroni.waitFor((members) => members.some(({ role }) => role === "sync_standby"));
  return ready.find(({ role }) => role === "sync_standby")?.name ?? "";
}

describe.skipIf(why !== undefined)(`a Patroni cluster${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  beforeAll(async () => {
    cluster = await PatroniCluster.start();
    const { port } = await leader();
    for (const text of [TRAFFIC_TABLE, ledgerTableSql()]) await ask(port, text);
    db = breakwater({
      primary: config(port),
      commitResolution: { ledger: true },
      router: {
        source: patroniSource({ urls: cluster.urls }),
        connect: (node) => fromPg(config(node.port), { name: node.name }),
      },
    });
    await db.query("SELECT 1");
  }, LIMIT_MS);

  afterAll(async () => {
    await db?.close({ drainMs: 100 });
    await cluster?.[Symbol.asyncDispose]();
  }, LIMIT_MS);

  /** Under traffic; afterwards no call has failed, and every row is there once. */
  async function assertNoCallFails(what: string, fault: (patroni: PatroniCluster) => Promise<void>): Promise<void> {
    if (db === undefined || cluster === undefined) throw new Error("there is no cluster");
    await ask((await leader()).port, "TRUNCATE traffic");
    const traffic = new Traffic(db, 200);
    const began = performance.now();
    try {
      await traffic.nextWrite();
      await fault(cluster);
      await traffic.nextWrite();
    } finally {
      await traffic.stop();
    }
    const written = traffic.calls.flatMap(({ id }) => (id === undefined ? [] : [id]));
    const longest = Math.max(...traffic.calls.map(({ startedAt, endedAt = Number.NaN }) => endedAt - startedAt));
    process.stdout.write(
      `  Patroni, ${what}: ${traffic.calls.length} calls in ${((performance.now() - began) / 1000).toFixed(1)} s, ` +
        `${traffic.failed.length} failed, longest ${(longest / 1000).toFixed(1)} s\n`,
    );
    expect(reasons(traffic.failed)).toEqual({});
    const rows = await ask<{ id: string }>((await leader()).port, "SELECT id FROM traffic ORDER BY id");
    expect(rows.map(({ id }) => Number(id))).toEqual(written);
  }

  it("is known by its members", async () => {
    const names = () =>
      db
        ?.stats()
        .nodes.map(({ name }) => name)
        .toSorted();
    while (names()?.join() !== "p1,p2,p3") await new Promise((resolve) => setTimeout(resolve, 20));
    expect(names()).toEqual(["p1", "p2", "p3"]);
  }, 30_000);

  it(
    "does a switchover without a failed call",
    () =>
      assertNoCallFails("switchover", async (patroni) => {
        const { name } = await leader();
        const next = await successor(patroni);
        await patroni.switchover(name, next);
        expect((await leader()).name).toBe(next);
      }),
    LIMIT_MS,
  );

  it(
    "does its own failover without a failed call",
    () =>
      assertNoCallFails("leader killed", async (patroni) => {
        await successor(patroni);
        const { name } = await leader();
        patroni.killNode(name);
        await patroni.waitFor((members) =>
          members.some(({ role, name: now, state }) => role === "leader" && now !== name && state === "running"),
        );
        patroni.startNode(name);
        await leader();
      }),
    LIMIT_MS,
  );
});
