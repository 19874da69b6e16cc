/** Lets the faults of a script happen at their time. */
import type { SimulatedCluster } from "./cluster.ts";
import type { Fault } from "./faults.ts";
import type { SimulatedNode } from "./node.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** Whom the script tells what it does. */
export type FaultListener = (what: "begins" | "ends", fault: Fault) => void;

/** Pause before a promotion that was not possible is tried again, in milliseconds. */
const AGAIN_MS = 100;

/** Sets the timers of a script. */
export function schedule(
  faults: readonly Fault[],
  cluster: SimulatedCluster,
  clock: VirtualClock,
  tell: FaultListener,
): void {
  for (const fault of faults) {
    clock.setTimer(fault.atMs, () => {
      tell("begins", fault);
      const nodes = cluster.targets(fault);
      begin(fault, nodes, cluster, clock);
      clock.setTimer(fault.durationMs, () => {
        tell("ends", fault);
        end(fault, nodes, cluster);
      });
    });
  }
}

function begin(fault: Fault, nodes: readonly SimulatedNode[], cluster: SimulatedCluster, clock: VirtualClock): void {
  if (fault.kind === "surge") return;
  for (const node of nodes) node.faults.add(fault);
  if (fault.kind === "crash") for (const node of nodes) cluster.crash(node);
  if (fault.kind === "promote") promote(fault, cluster, clock);
}

function promote(fault: Fault, cluster: SimulatedCluster, clock: VirtualClock): void {
  const until = clock.now() + fault.durationMs;
  const attempt = (): void => {
    if (!cluster.promote() && clock.now() + AGAIN_MS < until) clock.setTimer(AGAIN_MS, attempt);
  };
  attempt();
}

function end(fault: Fault, nodes: readonly SimulatedNode[], cluster: SimulatedCluster): void {
  for (const node of nodes) {
    node.faults.delete(fault);
    if (fault.kind === "crash" && !node.suffers("crash")) cluster.start(node);
    node.release();
  }
  if (fault.kind === "promote") for (const node of cluster.nodes) cluster.demote(node);
  cluster.poke();
}
