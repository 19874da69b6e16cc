/** Every session reads what it wrote, and nothing older than it read before, over replicas that lag. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, type ClusterNode, startCluster } from "@breakwater/chaos";
import { breakwater, type Database, type Random, seededRandom } from "breakwater";

const SESSIONS = 50;
/** With BREAKWATER_ROUNDS=10 as many as the figures of record were taken from. */
const PAIRS = Math.min(10_000, 3_000 * Number(process.env["BREAKWATER_ROUNDS"] ?? 1));
const MAX_LAG_MS = 300;
const LIMIT_MS = 120_000;

let cluster: Cluster;
let db: Database;
const seed = Number(process.env["BREAKWATER_SEED"] ?? Date.now() % 1_000_000);

beforeAll(async () => {
  cluster = await startCluster({ replicas: 2 });
  await cluster.primary.query("CREATE TABLE counters (session int PRIMARY KEY, value int NOT NULL)");
  await cluster.primary.query("INSERT INTO counters SELECT n, 0 FROM generate_series(0, 99) AS n");
  db = breakwater({
    primary: cluster.primary.connectionString,
    replicas: cluster.replicas.map((node) => node.connectionString),
    pool: { max: 20 },
  });
}, LIMIT_MS);

afterAll(async () => {
  await db?.close({ drainMs: 100 });
  await cluster?.close();
}, LIMIT_MS);

/** Lets a replica be 0 to `MAX_LAG_MS` behind, another delay again and again, until the returned function is called. */
function lagging(node: ClusterNode, random: Random): () => Promise<void> {
  const state = { ended: false };
  const change = async (ms: number): Promise<void> => {
    await node.query(`ALTER SYSTEM SET recovery_min_apply_delay = ${ms}`);
    await node.query("SELECT pg_reload_conf()");
  };
  const changing = (async () => {
    while (!state.ended) {
      await change(Math.floor(random() * MAX_LAG_MS));
      await new Promise((resolve) => setTimeout(resolve, 200 + random() * 300));
    }
    await change(0);
  })();
  return () => {
    state.ended = true;
    return changing;
  };
}

/** How many calls each server was sent, by what the server itself counts. */
async function transactionsOn(node: ClusterNode): Promise<number> {
  const [row] = await node.query<{ n: string }>("SELECT sum(xact_commit) AS n FROM pg_stat_database");
  return Number(row?.n);
}

describe("sessions over replicas that lag up to 300 ms", () => {
  it(
    "never read stale and never go back in time, and mostly read from replicas",
    async () => {
      const random = seededRandom(seed);
      const stop = cluster.replicas.map((node) => lagging(node, random));
      let stale = 0;
      let back = 0;
      let fromReplicas = 0;
      let firstFromReplicas = 0;
      let reads = 0;
      const began = performance.now();
      await Promise.all(
        Array.from({ length: SESSIONS }, async (_, session) => {
          const own = db.session();
          let seen = 0;
          for (let value = 1; value <= PAIRS / SESSIONS; value += 1) {
            await own.query("UPDATE counters SET value = $2 WHERE session = $1", [session, value]);
            // As an application does, that has other things to do between a write and the page that shows it.
            await new Promise((resolve) => setTimeout(resolve, random() * 2 * MAX_LAG_MS * 0.2));
            for (let again = 0; again < 2; again += 1) {
              const { rows } = await own.query<{ value: number; replica: boolean }>(
                "SELECT value, pg_is_in_recovery() AS replica FROM counters WHERE session = $1",
                [session],
                { access: "read" },
              );
              const [row] = rows;
              reads += 1;
              if ((row?.value ?? 0) < value) stale += 1;
              if ((row?.value ?? 0) < seen) back += 1;
              if (row?.replica === true) {
                fromReplicas += 1;
                if (again === 0) firstFromReplicas += 1;
              }
              seen = Math.max(seen, row?.value ?? 0);
            }
          }
        }),
      );
      const seconds = (performance.now() - began) / 1000;
      await Promise.all(stop.map((end) => end()));
      const share = (100 * fromReplicas) / reads;
      process.stdout.write(
        `  ${PAIRS} writes and ${reads} reads by ${SESSIONS} sessions in ${seconds.toFixed(1)} s (seed ${seed}): ` +
          `stale ${stale}, back in time ${back}, from replicas ${share.toFixed(0)} % ` +
          `(of the first reads after a write ${((100 * firstFromReplicas) / PAIRS).toFixed(0)} %)\n`,
      );
      expect({ stale, back }).toEqual({ stale: 0, back: 0 });
      expect(share).toBeGreaterThan(60);
      for (const node of cluster.replicas) expect(await transactionsOn(node)).toBeGreaterThan(reads / 10);
    },
    LIMIT_MS,
  );

  it(
    "carry their token to another process, and across a promotion",
    async () => {
      const changes: number[] = [];
      const stop = db.on("router:history-changed", ({ to }) => void changes.push(to));
      const own = db.session();
      await own.query("UPDATE counters SET value = 7 WHERE session = 99");
      await cluster.waitForStreaming();
      const { token } = own;
      expect(token).toMatch(/^1\.[0-9a-z]+\.[0-9a-z]+$/);
      await cluster.switchover();
      // A write goes on only when the new primary is known.
      await db.query("UPDATE counters SET value = 1 WHERE session = 98");
      const elsewhere = db.session({ token });
      const { rows } = await elsewhere.query<{ value: number }>("SELECT value FROM counters WHERE session = 99");
      expect(rows[0]?.value).toBe(7);
      expect(changes.length).toBeGreaterThan(0);
      const timeline = Number.parseInt(elsewhere.token.split(".")[1] ?? "", 36);
      expect(timeline).toBe(changes.at(-1));
      await elsewhere.query("UPDATE counters SET value = 8 WHERE session = 99");
      const third = db.session({ token: elsewhere.token });
      const after = await third.query<{ value: number }>("SELECT value FROM counters WHERE session = 99");
      expect(after.rows[0]?.value).toBe(8);
      stop();
    },
    LIMIT_MS,
  );
});
