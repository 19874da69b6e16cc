/**
 * The whole run: cluster, clients, load, script, and the count at the end. Leaves nothing running, however it ends.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { startLoad } from "./load.ts";
import { type Played, play } from "./play.ts";
import { Protected } from "./protected.ts";
import { dice } from "./random.ts";
import { Record } from "./record.ts";
import { Scene } from "./scene.ts";
import { createTables } from "./schema.ts";
import { addressesOf, PHASES } from "./script.ts";
import type { Show } from "./show.ts";
import { Today } from "./today.ts";
import { judge, type Verdict } from "./verdict.ts";

/** What a run came to. */
export interface Result {
  readonly scene: Scene;
  readonly played: readonly Played[];
  readonly today: Verdict;
  readonly breakwater: Verdict;
}

/** Longest wait for the calls under way when the load has stopped, in milliseconds. */
const LAST_CALLS_MS = 10_000;
/** Longest wait for the servers to end what the clients had begun, in milliseconds. */
const QUIET_MS = 10_000;

/** @throws the signal's reason when the run is interrupted. */
export async function run(seed: number, interrupted: AbortSignal, showOf: (scene: Scene) => Show): Promise<Result> {
  await using cluster = await startCluster({ replicas: 2, synchronous: true });
  interrupted.throwIfAborted();
  await createTables(cluster.primary, cluster.replicas);

  const addresses = addressesOf(cluster.primary, cluster.replicas);
  const today = new Today(addresses);
  const right = new Protected(addresses);
  const began = performance.now();
  const now = (): number => performance.now() - began;
  const records = { today: new Record(now), breakwater: new Record(now) };
  const scene = new Scene({ seed, phases: PHASES, cluster, right, records, now });
  const loads = [
    startLoad(seed, "today", today, records.today),
    startLoad(seed, "breakwater", right, records.breakwater),
  ];
  const show = showOf(scene);
  let played: readonly Played[];
  try {
    played = await play(scene, show, today, dice(seed, "script"), interrupted);
  } finally {
    const limitMs = interrupted.aborted ? 0 : LAST_CALLS_MS;
    await Promise.all(loads.map((load) => load.stop(limitMs)));
    for (const record of Object.values(records)) record.stop();
    show.end();
    await Promise.all([today.close(), right.close()]);
  }
  await quiet(cluster);
  const { primary } = cluster;
  return {
    scene,
    played,
    today: await judge(primary, "today", records.today),
    breakwater: await judge(primary, "breakwater", records.breakwater),
  };
}

/** Waits until nobody but us is connected to the primary: what a client left behind may still be carried out. */
async function quiet({ primary }: Cluster): Promise<void> {
  const end = performance.now() + QUIET_MS;
  while (performance.now() < end) {
    const [row] = await primary.query<{ busy: boolean }>(
      "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS busy",
    );
    if (row?.busy === false) return;
    await pause(50);
  }
  throw new Error(`the primary was still busy for a client ${QUIET_MS} ms after all had left`);
}
