/** What the tests of libraries have in common: a real cluster, and a pool on it. */
import { type Cluster, type ClusterOptions, startCluster } from "@breakwater/chaos";
import { breakwater, type BreakwaterOptions, type Database } from "breakwater";
import { type AsPgPoolOptions, asPgPool } from "@breakwater/pg";
import type pg from "pg";
import { afterAll, beforeAll, expect } from "vitest";

/** A cluster for the tests of one file; started before the first and ended after the last. */
export function useCluster(options: ClusterOptions = { replicas: 0 }): () => Cluster {
  let cluster: Cluster | undefined;
  beforeAll(async () => {
    cluster = await startCluster(options);
  });
  afterAll(async () => {
    await cluster?.close();
  });
  return () => {
    if (cluster === undefined) throw new Error("the cluster has not been started");
    return cluster;
  };
}

/** The recommended stack on a cluster. */
export function stackOn(cluster: Cluster, options: BreakwaterOptions = {}): Database {
  const [primary, ...replicas] = cluster.nodes.map((node) => node.connectionString);
  return breakwater({
    ...(primary === undefined ? {} : { primary }),
    ...(replicas.length === 0 ? {} : { replicas }),
    ...options,
  });
}

/** A `pg.Pool` on the recommended stack, ended after `use`; nothing of it must be left. */
export async function withPool<T>(
  cluster: Cluster,
  use: (pool: pg.Pool, db: Database) => Promise<T>,
  options: AsPgPoolOptions = {},
  stack: BreakwaterOptions = {},
): Promise<T> {
  const db = stackOn(cluster, stack);
  const pool = asPgPool(db, options);
  try {
    return await use(pool, db);
  } finally {
    if (!pool.ending) await pool.end();
  }
}

/** A cluster for failovers: a commit that only the lost primary had is a loss that no client can prevent. */
export const SAFE_CLUSTER: ClusterOptions = { replicas: 2, synchronous: true };

/** A stack that does each write exactly once, whatever happens to the primary, when it is asked for that. */
export const SAFE_STACK: BreakwaterOptions = {
  commitResolution: { ledger: true },
  router: { probeIntervalMs: 200, probeTimeoutMs: 500 },
};

/** How a load went. */
export interface Loaded {
  readonly calls: number;
  readonly failures: readonly unknown[];
}

/** Some load before, during and after a failover; the old primary comes back for the next test. */
export async function loadThroughFailover(
  cluster: Cluster,
  work: (worker: number, turn: number) => Promise<unknown>,
): Promise<Loaded> {
  const old = cluster.primary;
  let turns = 0;
  const counted = async (worker: number, turn: number): Promise<void> => {
    await work(worker, turn);
    turns += 1;
  };
  const grown = async (by: number): Promise<void> => {
    const until = turns + by;
    await expect.poll(() => turns, { timeout: 60_000 }).toBeGreaterThan(until);
  };
  const result = await load(8, counted, async () => {
    await grown(100);
    await cluster.failover();
    await grown(100);
  });
  await old.follow(cluster.primary);
  return result;
}

/** Does `work` over and over until `stop` says so; keeps what it was rejected with. */
export async function load(
  workers: number,
  work: (worker: number, turn: number) => Promise<unknown>,
  during: () => Promise<unknown>,
): Promise<Loaded> {
  let calls = 0;
  const state = { over: false };
  const failures: unknown[] = [];
  const running = Array.from({ length: workers }, async (_, worker) => {
    for (let turn = 0; !state.over; turn += 1) {
      calls += 1;
      await work(worker, turn).catch((error: unknown) => failures.push(error));
    }
  });
  try {
    await during();
  } finally {
    state.over = true;
    await Promise.all(running);
  }
  return { calls, failures };
}
