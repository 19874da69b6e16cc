/** Callers keep reading and writing while primaries and replicas are killed, hung, promoted and swapped. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, type ClusterNode, startCluster } from "@breakwater/chaos";
import { breakwater, type Database, ledgerTableSql } from "breakwater";
import { quantile, reasons, Traffic, TRAFFIC_TABLE } from "./support/traffic.ts";

/** How often each fault is played; 10 for the figures of record. */
const rounds = Number(process.env["BREAKWATER_ROUNDS"] ?? 1);
const CALLS_PER_SECOND = 200;
const LONG = 240_000 + rounds * 60_000;

let cluster: Cluster;
let db: Database;
const notes: string[] = [];

beforeAll(async () => {
  // A replica has every row that was acknowledged, so that none may be missing after a promotion.
  cluster = await startCluster({ replicas: 2, synchronous: true });
  for (const text of [TRAFFIC_TABLE, ledgerTableSql()]) await cluster.primary.query(text);
  db = breakwater({
    primary: cluster.primary.connectionString,
    replicas: cluster.replicas.map((node) => node.connectionString),
    commitResolution: { ledger: true },
  });
  await db.query("SELECT 1");
}, LONG);

afterAll(async () => {
  process.stdout.write(notes.map((note) => `  ${note}\n`).join(""));
  await db?.close({ drainMs: 100 });
  await cluster?.close();
}, LONG);

/** Plays a fault under traffic, again and again; afterwards no call has failed and every row is there once. */
async function assertNoCallFails(
  what: string,
  fault: (traffic: Traffic, note: (ms: number) => void) => Promise<void>,
): Promise<void> {
  const figures: number[] = [];
  let calls = 0;
  for (let round = 0; round < rounds; round += 1) {
    await cluster.primary.query("TRUNCATE traffic");
    const traffic = new Traffic(db, CALLS_PER_SECOND);
    try {
      await traffic.nextWrite();
      await fault(traffic, (ms) => figures.push(ms));
    } finally {
      await traffic.stop();
    }
    calls += traffic.calls.length;
    expect(reasons(traffic.failed), `${what}, round ${round + 1}, of ${traffic.calls.length} calls`).toEqual({});
    const rows = await cluster.primary.query<{ id: string }>("SELECT id FROM traffic ORDER BY id");
    const written = traffic.calls.flatMap(({ id }) => (id === undefined ? [] : [id]));
    expect(rows.map(({ id }) => Number(id))).toEqual(written);
  }
  const sorted = figures.toSorted((a, b) => a - b);
  const median = quantile(sorted, 0.5).toFixed(0);
  notes.push(
    `${what}: ${rounds} rounds, ${calls} calls, 0 failed; median ${median}, most ${sorted.at(-1)?.toFixed(0)}`,
  );
}

/** Makes one replica the primary and lets the other follow it. Returns the moment from which it takes writes. */
async function promote(next: ClusterNode, other: ClusterNode): Promise<number> {
  await next.promote();
  const promotedAt = performance.now();
  await other.follow(next);
  return promotedAt;
}

const replicas = (): [ClusterNode, ClusterNode] => cluster.replicas as unknown as [ClusterNode, ClusterNode];

describe("under 200 calls a second", () => {
  it(
    "no call fails when the primary is killed and a replica promoted",
    async () => {
      await assertNoCallFails("kill -9 and promotion, ms to the first write after it", async (traffic, note) => {
        const old = cluster.primary;
        const [next, other] = replicas();
        await old.kill();
        const promoting = promote(next, other);
        const promotedAt = await promoting;
        note((await traffic.nextWrite()) - promotedAt);
        await old.follow(next);
        await traffic.nextWrite();
      });
    },
    LONG,
  );

  it(
    "no call fails in a planned switchover",
    async () => {
      await assertNoCallFails("switchover, ms of the longest write", async (traffic, note) => {
        const from = performance.now();
        await cluster.switchover();
        await traffic.nextWrite();
        const times = traffic.calls
          .filter(({ id, startedAt }) => id !== undefined && startedAt >= from)
          .map(({ startedAt, endedAt = startedAt }) => endedAt - startedAt);
        note(Math.max(...times));
      });
    },
    LONG,
  );

  it(
    "no call fails, and none writes to the old history, when a hung primary comes back after a promotion",
    async () => {
      await assertNoCallFails(
        "SIGSTOP, promotion, SIGCONT, ms to the first write after the promotion",
        async (traffic, note) => {
          const old = cluster.primary;
          const [next, other] = replicas();
          let knownAt = Number.POSITIVE_INFINITY;
          const stop = db.on("router:role-changed", ({ role }) => {
            if (role === "primary") knownAt = Math.min(knownAt, performance.now());
          });
          old.hang();
          const promotedAt = await promote(next, other);
          note((await traffic.nextWrite()) - promotedAt);
          old.resume();
          await old.waitUntilReady();
          // It does believe that it is a primary: what it is sent it does, once it waits for no standby any more.
          await old.query("ALTER SYSTEM SET synchronous_standby_names = ''");
          await old.query("SELECT pg_reload_conf()");
          await old.query("INSERT INTO traffic VALUES (-1)");
          const since = performance.now();
          while (performance.now() < since + 1500) await traffic.nextWrite();
          stop();
          const here = await old.query<{ id: string }>("SELECT id FROM traffic");
          const there = await next.query<{ id: string }>("SELECT id FROM traffic");
          const kept = new Set(there.map(({ id }) => Number(id)));
          const stray = here.map(({ id }) => Number(id)).filter((id) => !kept.has(id));
          expect(stray).toContain(-1);
          const late = traffic.calls.filter(({ id = 0, startedAt }) => stray.includes(id) && startedAt > knownAt);
          expect(late, "calls that wrote to the old history although the new one was known").toEqual([]);
          await old.reclone(next);
        },
      );
    },
    LONG,
  );

  it(
    "reads go on undisturbed while a replica is killed, hung, and comes back",
    async () => {
      await assertNoCallFails(
        "replica killed and hung, p99 of reads as a multiple of calm, in %",
        async (traffic, note) => {
          const [victim] = replicas();
          const spell = async (ms: number): Promise<[number, number]> => {
            const from = performance.now();
            while (performance.now() < from + ms) await traffic.nextWrite();
            return [from, performance.now()];
          };
          const p99 = ([from, to]: [number, number]): number => quantile(traffic.readTimes(from, to), 0.99);
          const calm = await spell(2000);
          const beforeKill = performance.now();
          await victim.kill();
          const [, killedUntil] = await spell(2000);
          await victim.start();
          await cluster.waitForStreaming();
          await spell(500);
          const beforeHang = performance.now();
          victim.hang();
          const [, hungUntil] = await spell(4000);
          victim.resume();
          await spell(500);
          await traffic.stop();
          note((100 * p99([beforeKill, killedUntil])) / p99(calm));
          note((100 * p99([beforeHang, hungUntil])) / p99(calm));
          notes.push(
            `reads' p99: calm ${p99(calm).toFixed(1)} ms, killed ${p99([beforeKill, killedUntil]).toFixed(1)} ms, ` +
              `hung ${p99([beforeHang, hungUntil]).toFixed(1)} ms; slowest ${traffic.readTimes(beforeHang, hungUntil).at(-1)?.toFixed(0)} ms`,
          );
        },
      );
    },
    LONG,
  );
});
