/**
 * A stack in front of a cluster, and everything that is to be true when it has been closed.
 */
import type { Cluster, ClusterNode } from "@breakwater/chaos";
import type { Database, EventMap } from "@breakwater/core";
import { breakwater, type BreakwaterOptions } from "breakwater";
import { until } from "./wait.ts";

/** What `pg_stat_activity` shows the connections of a stack under. */
const APPLICATION = "breakwater-test";

/** Folder of PostgreSQL 15's binaries, where the machine has them. */
export const OTHER_VERSION = "/usr/lib/postgresql/15/bin";

/** How clients reach a node, through its proxy. */
export function through(node: ClusterNode, user = "postgres"): Record<string, unknown> {
  return { host: "127.0.0.1", port: node.port, user, database: "postgres", application_name: APPLICATION };
}

/** The preset in front of all nodes of a cluster. */
export function stackOn(cluster: Cluster, options: BreakwaterOptions = {}): Database {
  const replicas = cluster.replicas.map((node) => through(node));
  const db = breakwater({
    primary: through(cluster.primary),
    ...(replicas.length === 0 ? {} : { replicas }),
    ...options,
  });
  opened.add(db);
  return db;
}

/** Has a pool open so many connections, all idle again afterwards. */
export async function warm(db: Database, count: number): Promise<void> {
  const held = await Promise.all(Array.from({ length: count }, () => db.connect()));
  for (const connection of held) connection.release();
  await until("all to be back", () => db.stats().active === 0 && db.stats().idle >= count);
}

const opened = new Set<Database>();

/** Closes what `stackOn` has made: a test that failed must not make the next one fail. */
export async function closeStacks(): Promise<void> {
  const stacks = [...opened];
  opened.clear();
  await Promise.all(stacks.map((db) => db.close({ drainMs: 0 })));
}

/** Every outcome that commit resolution has told. */
export function resolutions(db: Database): EventMap["commit-resolution:resolved"][] {
  const told: EventMap["commit-resolution:resolved"][] = [];
  db.on("commit-resolution:resolved", (event) => told.push(event));
  return told;
}

/** Resolves when no connection of a stack is left on any running node. */
export async function noConnectionLeft(cluster: Cluster): Promise<void> {
  for (const node of cluster.nodes) {
    if (node.state !== "running") continue;
    let left: unknown[] = [];
    await until(
      () => `no connection to be left on ${node.name}: ${JSON.stringify(left)}`,
      async () => {
        left = await node.query(
          `SELECT pid, state, wait_event, query FROM pg_stat_activity
            WHERE application_name = $1 AND backend_type = 'client backend'`,
          [APPLICATION],
        );
        return left.length === 0;
      },
    );
  }
}
