/**
 * How long from one probe of a node to the next. Pure.
 */
import type { Random } from "@breakwater/core";
import type { RouterNode } from "./node.ts";

/**
 * Pauses between probes of a node that is down, in milliseconds, the last one for ever: the first is short, since a crashed
 * server is often back at once, and in no second are there more than two attempts to connect.
 */
const DOWN_PROBE_MS: readonly number[] = [220, 900, 560];
/**
 * The second pause is longer by up to so much, at random: all processes have seen the crash at the same moment, and from then
 * on each of them probes at moments of its own.
 */
const OUT_OF_STEP_MS = 560;
/** Pause between probes of nodes that answer while there is no primary, or it is late, in milliseconds. They cost no new connection. */
const NO_PRIMARY_PROBE_MS = 100;

/** The pause after the last probe of a node, in milliseconds, as things stand; `probeIntervalMs` when all is well. */
export function pauseMs(
  node: RouterNode,
  primary: RouterNode | undefined,
  probeIntervalMs: number,
  random: Random,
): number {
  if (node.state === "down") {
    const at = Math.min(Math.max(1, node.failedProbes), DOWN_PROBE_MS.length) - 1;
    return (DOWN_PROBE_MS[at] ?? probeIntervalMs) + (at === 1 ? OUT_OF_STEP_MS * random() : 0);
  }
  if (node.failedProbes > 0) return 0;
  const looking = primary === undefined || primary.late;
  return looking ? Math.min(probeIntervalMs, NO_PRIMARY_PROBE_MS) : probeIntervalMs;
}
