/**
 * Why a call goes where it goes, for whoever asked for that. Told after the fact, from what is known of the nodes at that
 * moment; nothing is decided here.
 */
import { type HistoryPoint, type Operation, type Pool, SENT } from "@breakwater/core";
import type { Destination } from "./destination.ts";
import { includes } from "./freshness.ts";
import type { RouterNode } from "./node.ts";
import type { Topology } from "./topology.ts";

/** Why a node was chosen, and the same in words. */
const REASONS = {
  rule: "a rule names it",
  write: "it is the primary, and the call may write",
  strong: "it is the primary, and the call is to see all that was committed",
  hedge: "a second go, elsewhere than the first",
  "no-replica": "there is no replica",
  "no-replica-well": "no replica is well",
  "no-replica-fresh": "no replica is known to have what the session has seen",
  "replicas-tried": "the replicas have been tried",
  "session-stays": "the session read there before",
  fresh: "it has what the session has seen, and is the balancer's choice",
  balanced: "the balancer's choice",
} as const;

/** Why a node was chosen. */
export type RouterReason = keyof typeof REASONS;

/** Tells to which node a call is sent and why there, on the bus and to the call's trace; in detail, also how all nodes stood. */
export function tellDecision(
  node: RouterNode,
  wanted: Destination<unknown>,
  topology: Topology,
  { name: pool, events }: Pick<Pool, "name" | "events">,
): void {
  const { operation } = wanted;
  const { trace, label } = operation;
  const reason = reasonOf(node, wanted, topology);
  const decided = { node: node.name, role: node.role, reason };
  if (events.has("router:sent")) events.emit("router:sent", { pool, label, ...decided });
  if (trace?.detailed !== true) {
    trace?.note("router", SENT, decided);
    return;
  }
  const point = needed(operation);
  trace.note("router", SENT, {
    ...decided,
    why: REASONS[reason],
    among: topology.readers.length,
    needs: point === undefined ? undefined : `timeline ${point.timeline}, position ${point.position}`,
    nodes: topology.nodes.map((each) => standingOf(each, operation)),
  });
}

function reasonOf(
  node: RouterNode,
  { operation, node: named }: Destination<unknown>,
  topology: Topology,
): RouterReason {
  const { access, consistency, causality, hedged } = operation;
  const { primary, readers, nodes } = topology;
  if (named !== undefined) return "rule";
  if (access === "write") return "write";
  if (consistency === "strong") return "strong";
  if (hedged?.other !== undefined) return "hedge";
  const bound = consistency === "session" && causality !== undefined;
  if (node === primary) {
    if (!nodes.some(({ role }) => role === "replica")) return "no-replica";
    if (readers.includes(primary)) return "no-replica-well";
    return bound && (causality.point !== undefined || causality.unplaced) ? "no-replica-fresh" : "replicas-tried";
  }
  if (bound && causality.monotonic && causality.lastRead === node.life) return "session-stays";
  return bound && causality.point !== undefined ? "fresh" : "balanced";
}

/** How a node stands for one call: what speaks against it, and what a balancer weighs. */
function standingOf(node: RouterNode, operation: Operation<unknown>): Record<string, unknown> {
  const { name, role, state, weight, running, lag, zone } = node;
  const point = needed(operation);
  const against = [
    ...(state === "up" ? [] : [state]),
    ...(node.fenced ? ["fenced"] : []),
    ...(node.draining ? ["draining"] : []),
    ...(node.doubted ? ["refused a write"] : []),
    ...(node.late ? ["late with its probe"] : []),
    ...(node.lagging ? ["lags too much"] : []),
    ...(node.ejectedUntil === undefined ? [] : ["ejected"]),
    ...(node.gate === undefined ? [] : ["starting"]),
    ...(point === undefined || role === "primary" || includes(node.observed, point) ? [] : ["behind the session"]),
  ];
  const breaker = node.pool.stats().policies.find(({ policy }) => policy === "circuit-breaker");
  const position = node.observed?.position;
  return {
    name,
    role,
    against,
    circuit: breaker?.["state"],
    lagMs: lag?.ms,
    lagBytes: lag?.bytes,
    position: position === undefined ? undefined : String(position),
    weight,
    running,
    zone,
  };
}

/** What a node must include to serve a call; undefined where that is not asked for. */
function needed({ access, consistency, causality }: Operation<unknown>): HistoryPoint | undefined {
  return access === "read" && consistency === "session" ? causality?.point : undefined;
}
