/**
 * What a rejection says of the node. Pure.
 */
import { failureOf, RejectedError } from "@breakwater/core";

/** The node failed; it answered, so it lives; or nothing can be told. */
export type Verdict = "failed" | "answered" | "none";

/**
 * Judges the node by a rejection.
 * @param counts Which blames count as a failure of the node.
 */
export function verdictOf(error: unknown, counts: readonly string[]): Verdict {
  // Refused further in, by another breaker or a full bulkhead: the node was never asked.
  if (error instanceof RejectedError) return "none";
  const { blames, phase, connection } = failureOf(error);
  if (counts.includes(blames)) return "failed";
  // The caller's own throw, or its abort: either may come without a word from the server.
  if (blames === "caller") return "none";
  if (phase !== "running" && phase !== "committing") return "none";
  // A connection is only worth keeping after a whole answer was read from it.
  return blames === "statement" || blames === "contention" || connection === "keep" ? "answered" : "none";
}
