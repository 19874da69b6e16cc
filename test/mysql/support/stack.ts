/**
 * A stack in front of a MariaDB cluster, as people would put one together.
 */
import { compose, type Database, database, type Operation, policy, type Pool } from "@breakwater/core";
import { fromMysql2, type FromMysql2Options } from "@breakwater/mysql2";
import {
  circuitBreaker,
  commitResolution,
  type CommitResolutionOptions,
  retry,
  router,
  type RouterOptions,
  timeout,
} from "@breakwater/policies";
import { until } from "../../support/wait.ts";
import type { MariaCluster, MariaNode } from "./cluster.ts";
import { USER } from "./server.ts";

export interface StackOptions {
  readonly pool?: FromMysql2Options;
  readonly commitResolution?: CommitResolutionOptions;
  readonly router?: Partial<RouterOptions>;
  readonly timeoutMs?: number;
  /** Told of each call that is sent to a node, by the node's name. */
  readonly sent?: (node: string, operation: Operation<unknown>) => void;
}

/** Timeout, retry, commit resolution with a ledger, router, and a breaker for each node. */
export function stackOn(cluster: MariaCluster, options: StackOptions = {}): Database {
  const nodePool = (node: MariaNode): Pool => {
    const name = `node${node.server.id}`;
    const watched = policy("watch", (operation, next) => {
      options.sent?.(name, operation);
      return next(operation);
    });
    const pool = fromMysql2(node.config, { name, max: 10, ...options.pool });
    return compose(circuitBreaker({ breakMs: 200 }), watched)(pool);
  };
  const [primary, ...replicas] = cluster.nodes.map(nodePool) as [Pool, ...Pool[]];
  const nodes = router({
    name: "maria",
    probeIntervalMs: 100,
    ...options.router,
    primary,
    ...(replicas.length === 0 ? {} : { replicas }),
  });
  return database(
    compose(
      timeout({ limitMs: options.timeoutMs ?? 30_000 }),
      retry(),
      commitResolution({ ledger: true, ...options.commitResolution }),
    )(nodes),
  );
}

/** Resolves when no connection of applications is left on any server that runs. */
export async function noConnectionLeft(cluster: MariaCluster): Promise<void> {
  for (const { server } of cluster.nodes) {
    if (!server.running) continue;
    let left: unknown[] = [];
    await until(
      () => `no connection to be left on server ${server.id}: ${JSON.stringify(left)}`,
      async () => {
        left = await server.query("SELECT ID, COMMAND, INFO FROM information_schema.PROCESSLIST WHERE USER = ?", [
          USER,
        ]);
        return left.length === 0;
      },
    );
  }
}
