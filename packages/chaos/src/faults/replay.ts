/** Replicas that fall behind. */
import type { ClusterNode } from "../cluster/node.ts";
import { stateError } from "../errors.ts";
import { until } from "../wait.ts";
import type { FaultHand } from "./active-fault.ts";

/** Written to the log at once. */
const mostAtOnce = 4 * 1024 * 1024;

export async function pauseReplay(node: ClusterNode): Promise<FaultHand> {
  requireReplica("pauseReplay", node);
  await node.pauseReplay();
  return {
    hits: 1,
    off: async () => {
      // A restart or a promotion has ended the pause already.
      if (node.state !== "stopped" && node.role === "replica") await node.resumeReplay();
    },
  };
}

/** The setting stays with the node's data: what is cloned from it while the fault is on has it too. */
export async function delayReplay(node: ClusterNode, ms: number): Promise<FaultHand> {
  requireReplica("delayReplay", node);
  await apply(node, `ALTER SYSTEM SET recovery_min_apply_delay = ${ms}`, ms);
  return {
    hits: 1,
    off: async () => {
      if (node.state !== "stopped") await apply(node, "ALTER SYSTEM RESET recovery_min_apply_delay", 0);
    },
  };
}

export async function lag(node: ClusterNode, primary: ClusterNode, bytes: number): Promise<FaultHand> {
  const hand = await pauseReplay(node);
  try {
    for (let left = bytes; left > 0; left -= mostAtOnce) {
      const size = Math.min(left, mostAtOnce);
      await primary.query("SELECT pg_logical_emit_message(false, 'breakwater-chaos', repeat('x', $1))", [size]);
    }
    // The position before replay began is the primary's to say: the replica may not even have received it.
    await until(`${node.name} to be ${bytes} bytes behind`, async () => {
      const [there] = await primary.query<{ lsn: string }>("SELECT pg_current_wal_lsn()::text AS lsn");
      const [here] = await node.query<{ behind: string }>(
        "SELECT pg_wal_lsn_diff($1::pg_lsn, pg_last_wal_replay_lsn())::text AS behind",
        [there?.lsn],
      );
      return Number(here?.behind) >= bytes;
    });
  } catch (error) {
    await hand.off();
    throw error;
  }
  return hand;
}

function requireReplica(what: string, node: ClusterNode): void {
  if (node.role !== "replica") throw stateError(`${what}: ${node.name} is no replica`);
  if (node.state !== "running") throw stateError(`${what}: ${node.name} is ${node.state}`);
}

async function apply(node: ClusterNode, change: string, ms: number): Promise<void> {
  await node.query(change);
  await node.query("SELECT pg_reload_conf()");
  await until(`${node.name} to take recovery_min_apply_delay`, async () => {
    const [row] = await node.query<{ ms: string }>(
      "SELECT setting AS ms FROM pg_settings WHERE name = 'recovery_min_apply_delay'",
    );
    return Number(row?.ms) === ms;
  });
}
