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
}

const CALLERS = 4;
const TEXT = "SELECT n FROM causal WHERE id = ?";

/** A read after a write that the replicas do not apply: what it sees if it asks for its own writes, and if it does not. */
export async function readBehind(cluster: MariaCluster): Promise<{ readonly own: unknown; readonly loose: unknown }> {
  const db = stackOn(cluster, { commitResolution: { ledger: false } });
  await db.query("CREATE TABLE IF NOT EXISTS causal (id int PRIMARY KEY, n int NOT NULL)");
  await db.query("REPLACE INTO causal VALUES (0, 0)");
  for (const node of cluster.replicas) await cluster.caughtUp(node);
  for (const { server } of cluster.replicas) await server.query("STOP SLAVE SQL_THREAD");
  await db.query("UPDATE causal SET n = 1 WHERE id = 0");
  const loose = await db.value(TEXT, [0], { consistency: "eventual" });
  const own = await db.value(TEXT, [0]);
  for (const { server } of cluster.replicas) await server.query("START SLAVE SQL_THREAD");
  await db.close();
  return { own, loose };
}

/** Runs the pairs; each caller has a row of its own. */
export async function causalPairs(cluster: MariaCluster, pairs: number): Promise<CausalFigures> {
  const replicas = new Set(cluster.replicas.map(({ server }) => `node${server.id}`));
  let [stale, fromReplica] = [0, 0];
  const sent = (node: string, operation: Operation<unknown>): void => {
    if (operation.kind !== "query" || operation.statement.text !== TEXT) return;
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
      // What does not ask for its own writes goes beside it, and may be stale.
      const [own] = await Promise.all([
        db.value<number>(TEXT, [id]),
        db.query(TEXT, [id], { consistency: "eventual" }),
      ]);
      if (own !== n) stale += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
  await db.close();
  return { stale, fromReplica };
}
