import { type Cluster, startCluster } from "@breakwater/chaos";
import type { Database, EventMap } from "@breakwater/core";
import type { HedgeOptions } from "@breakwater/policies";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { breakwater } from "breakwater";
import { until } from "../support/wait.ts";

/** Reads of one run, and what they cost. */
interface Run {
  readonly reads: number;
  /** Those that had to wait for the slow answer. */
  readonly waited: number;
  /** Statements sent for each that was asked for. */
  readonly load: number;
  readonly lost: number;
  readonly stats: Record<string, number>;
}

const CALLERS = 4;
const READS = 500;
/** How long a slow answer takes, in milliseconds: far longer than a busy machine delays any. */
const SLOW_MS = 300;

describe("hedged reads on two replicas, one of which is slow with 4 % of its answers", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 2 });
    const { primary, replicas } = cluster;
    await primary.query("CREATE SEQUENCE unused");
    await primary.query(`CREATE FUNCTION answer(n int, slow int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
      IF inet_server_port() = slow AND random() < 0.04 THEN PERFORM pg_sleep(${SLOW_MS / 1000}); END IF;
      RETURN n;
    END $$`);
    const [{ at } = { at: "0/0" }] = await primary.query<{ at: string }>("SELECT pg_current_wal_lsn() AS at");
    for (const replica of replicas) {
      await until(`${replica.name} to have the function`, async () => {
        const [row] = await replica.query<{ there: boolean }>("SELECT pg_last_wal_replay_lsn() >= $1 AS there", [at]);
        return row?.there === true;
      });
    }
  });

  afterAll(async () => {
    await cluster.close();
  });

  function open(options: HedgeOptions): Database {
    return breakwater({
      primary: cluster.primary.connectionString,
      replicas: cluster.replicas.map((node) => node.connectionString),
      hedge: options,
      // However long a run takes, a connection that is gone was lost.
      pool: { idleTimeoutMs: 0 },
    });
  }

  async function run(options: HedgeOptions): Promise<Run> {
    await using db = open(options);
    const slow = cluster.replicas[0]!.directPort;
    const took: number[] = [];
    const events: EventMap["connection:lost"][] = [];
    db.on("connection:lost", (event) => void events.push(event));
    const read = async (n: number): Promise<void> => {
      const startMs = performance.now();
      const { rows } = await db.query<{ n: number }>("SELECT answer($1, $2) AS n", [n, slow], {
        access: "read",
        label: "answer",
      });
      // No answer is ever another statement's, and none was cancelled for another's sake.
      expect(rows).toEqual([{ n }]);
      took.push(performance.now() - startMs);
    };
    // Connections are opened, and the usual time is learned.
    for (let each = 0; each < 100; each += 1) await read(each);
    took.length = 0;
    const pids = async (): Promise<string> => {
      const found: number[] = [];
      for (const { query } of cluster.replicas.map((node) => ({ query: node.query.bind(node) }))) {
        const rows = await query<{ pid: number }>(
          "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE '%answer(%' AND pid <> pg_backend_pid() ORDER BY pid",
        );
        found.push(...rows.map(({ pid }) => pid));
      }
      return found.join(" ");
    };
    const caller = async (which: number): Promise<void> => {
      for (let each = 0; each < READS; each += 1) await read(which * READS + each);
    };
    await Promise.all(Array.from({ length: CALLERS }, (_, which) => caller(which)));
    const before = await pids();
    await Promise.all(Array.from({ length: CALLERS }, (_, which) => caller(which)));
    const now = (): Run["stats"] =>
      db.stats().policies.find(({ policy }) => policy === "hedge") as unknown as Run["stats"];
    await until("all slower goes to have ended", () => now()["runningOut"] === 0);
    const stats = now();
    const kept = new Set((await pids()).split(" "));
    const lost = before.split(" ").filter((pid) => !kept.has(pid)).length;
    const waited = took.filter((ms) => ms >= SLOW_MS).length;
    return { reads: took.length, waited, load: 1 + (stats["sent"] ?? 0) / (stats["reads"] ?? 0), lost, stats };
  }

  it("wait for no slow answer, cost little, and keep their connections", async () => {
    const hedged = await run({});
    process.stdout.write(
      `${hedged.waited} of ${hedged.reads} reads waited, load ${hedged.load.toFixed(3)}, ` +
        `connections lost ${hedged.lost}, ${JSON.stringify(hedged.stats)}\n`,
    );
    // What the tail is measured in, in its virtual time, is the matter of test/overload.
    const unaided = (hedged.stats["overBudget"] ?? 0) + (hedged.stats["lost"] ?? 0);
    expect(hedged.waited).toBeLessThanOrEqual(unaided + hedged.reads / 100);
    expect(hedged.load).toBeLessThanOrEqual(1.05);
    expect(hedged.stats["won"]).toBeGreaterThan(10);
    expect(hedged.lost).toBe(0);
  });

  it("disturb no later statement when the slower one is cancelled", async () => {
    const cancelled = await run({ runOutMs: 20 });
    expect(cancelled.stats["cancelled"]).toBeGreaterThan(10);
  });
});
