/**
 * What those are told who are turned away.
 */
import { BulkheadFullError, type Failure, TimeoutError } from "@breakwater/core";
import type { BulkheadReason } from "./events.ts";

/** As an adapter says it of who waits for a connection there. */
export const INTERRUPTED: Failure = {
  phase: "connect",
  effect: "none",
  retry: "other-node",
  blames: "node",
  connection: "keep",
  reason: "the node was lost before the call was sent",
};

const TOO_LATE = {
  expired: "the deadline passed before a permit was free, or left no time for an answer",
  "max-wait": "no permit became free in time",
  codel: "waited too long in a queue that does not get shorter",
};

/** What is known when a call is turned away. */
export interface Refusal {
  readonly pool: string;
  readonly why: BulkheadReason;
  readonly waitedMs: number;
  readonly running: number;
  readonly maxQueued: number;
}

/** The error for it. */
export function refusalError({ pool, why, waitedMs, running, maxQueued }: Refusal): Error {
  if (why === "full" || why === "displaced") return new BulkheadFullError(pool, running, maxQueued);
  const reason = TOO_LATE[why];
  return new TimeoutError(pool, `${reason}, after ${Math.round(waitedMs)} ms`, {
    phase: "acquire",
    effect: "none",
    retry: "other-node",
    blames: "load",
    connection: "keep",
    reason,
  });
}
