/** What an error tells the caller of a write, and how it is written down. */

/** `fail`: nothing of the operation is kept; `unknown`: it may have been done or not. */
export type Verdict = "fail" | "unknown";

/**
 * Takes an error at its word: only one with the code ERR_BREAKWATER_OUTCOME_UNKNOWN says that nobody knows.
 *
 * A bare driver says no such thing: its ECONNRESET during a COMMIT is recorded as `fail`, and found out as a wrong verdict
 * when the write is there after all. Who wants to be told less of it gives a `classify` of their own.
 */
export function classifyError(error: unknown): Verdict {
  return codeOf(error) === "ERR_BREAKWATER_OUTCOME_UNKNOWN" ? "unknown" : "fail";
}

/** Code and message. */
export function describeError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  return code === undefined ? text : `${code}: ${text}`;
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
