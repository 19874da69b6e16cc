/**
 * Pairs of a write and the read of it, by several callers, and how many of the reads had missed their write.
 */
import type { Operation } from "@breakwater/core";
import type { MariaCluster } from "./cluster.ts";
import { stackOn } from "./stack.ts";

export interface CausalFigures {
  readonly stale: number;
  /** How many of the reads were sent to the replica. */
  readonly fromReplica: number;
  /** Reads of the same kind that do not ask for their own writes, and had missed them. */
  readonly staleWithout: number;
}

const CALLERS = 4;

/** Runs the pairs; each caller has a row of its own. */
export async function causalPairs(cluster: MariaCluster, pairs: number): Promise<CausalFigures> {
  const text = "SELECT n FROM causal WHERE id = ?";
  const replicas = new Set(cluster.replicas.map(({ server }) => `node${server.id}`));
  let [stale, staleWithout, fromReplica] = [0, 0, 0];
  const sent = (node: string, operation: Operation<unknown>): void => {
    if (operation.kind !== "query" || operation.statement.text !== text) return;
    if (operation.consistency === "session" && replicas.has(node)) fromReplica += 1;
  };
  const db = stackOn(cluster, { commitResolution: { ledger: false }, sent });
  await db.query("CREATE TABLE IF NOT EXISTS causal (id int PRIMARY KEY, n int NOT NULL)");
  for (let caller = 0; caller < CALLERS; caller += 1) await db.query("REPLACE INTO causal VALUES (?, 0)", [caller]);
  for (const node of cluster.replicas) await cluster.caughtUp(node);
  const caller = async (id: number): Promise<void> => {
    for (let n = 1; n <= pairs / CALLERS; n += 1) {
      // Half of the writes are transactions.
      if (n % 2 === 0) await db.query("UPDATE causal SET n = ? WHERE id = ?", [n, id]);
      else await db.transaction((tx) => tx.query("UPDATE causal SET n = ? WHERE id = ?", [n, id]));
      const [loose, own] = [
        db.query<{ n: number }>(text, [id], { consistency: "eventual" }),
        db.query<{ n: number }>(text, [id]),
      ];
      if ((await loose).rows[0]?.n !== n) staleWithout += 1;
      if ((await own).rows[0]?.n !== n) stale += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
  await db.close();
  return { stale, fromReplica, staleWithout };
}
