/**
 * What a failed call says of its node.
 */
import { type Failure, TimeoutError } from "@breakwater/core";
import type { RouterNode } from "./node.ts";
import { wasTurnedAway } from "./route.ts";
import type { Topology } from "./topology.ts";

/** Tells the topology what a failed call says of its node. */
export function learn(topology: Topology, node: RouterNode, failure: Failure, error: unknown): void {
  const { blames, phase, connection } = failure;
  if (wasTurnedAway(failure, error)) {
    topology.lost(node);
    return;
  }
  const ran = phase === "running" || phase === "committing";
  if (ran && node.state !== "down") {
    if (blames === "node" || blames === "load") topology.ejection.failed(node);
    else if (blames !== "caller") topology.ejection.answered(node);
  }
  if (blames !== "node" || phase === "acquire") return;
  // A call that had little time left when it began to connect says nothing, unless something had already gone wrong then.
  const timeUp = error instanceof TimeoutError && error.cause === undefined;
  if (phase === "connect" && !timeUp) topology.unreachable(node, error);
  else if (connection === "destroy") topology.lost(node);
  else topology.suspect(node);
}
