/**
 * What a rejection means for those who may try again: understood once, where it happened; every policy decides from it.
 */

/** How far the call had come. */
export type Phase = "acquire" | "connect" | "unsent" | "running" | "committing";

/** May the database have kept something of the call? */
export type Effect = "none" | "unknown";

/**
 * Where the call could be run again, if its effect permits: nowhere; on the same node; better on another one; on the
 * primary; as a whole transaction.
 */
export type RetryAdvice = "never" | "same-node" | "other-node" | "primary" | "transaction";

/** What caused it. Breakers and ejection count `node` and `load`, never the others. */
export type Blame = "node" | "load" | "contention" | "statement" | "caller";

/** What an error means for who decides what to do next: retries, breakers, routers, adapters. */
export interface Failure {
  /** How far the call had come. */
  readonly phase: Phase;
  /** Whether the database may have kept something. */
  readonly effect: Effect;
  /** Where another attempt could succeed. */
  readonly retry: RetryAdvice;
  /** What caused it. */
  readonly blames: Blame;
  /** What the adapter does with the connection. */
  readonly connection: "keep" | "destroy";
  /** Why, in plain words: the row of the failure table that spoke. */
  readonly reason: string;
  /** Most retries that this failure is worth, where that is fewer than the policy's. */
  readonly maxRetries?: number;
  /** Wait at least this long before the next attempt, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Worth a retry only if the caller opted in to waiting for locks or slow statements again. */
  readonly optIn?: "lock" | "timeout";
}

/** Where a rejection happened. */
export interface Situation {
  /** How far the call had come. */
  readonly phase: Phase;
  /** Whether the call reads or writes. */
  readonly access: "read" | "write";
  /** Inside an explicit transaction that has not been asked to commit. */
  readonly inTransaction: boolean;
  /** The text commits in parts: an error does not prove that nothing was kept. @default false */
  readonly inParts?: boolean;
}

const judged = new WeakMap<object, Failure>();

/** The caller's own error, thrown by its function. Nothing of it concerns the database. */
const CALLER: Failure = Object.freeze({
  phase: "running",
  effect: "none",
  retry: "never",
  blames: "caller",
  connection: "keep",
  reason: "thrown by the caller's function",
});

/** Records what a driver's error means, beside the error: the error itself reaches the caller unchanged. */
export function noteFailure(error: unknown, failure: Failure): void {
  if (typeof error === "object" && error !== null) judged.set(error, failure);
}

/** What was recorded of an error; undefined for one that no adapter and no policy has judged. */
export function recordedFailure(error: unknown): Failure | undefined {
  return typeof error === "object" && error !== null ? judged.get(error) : undefined;
}

/** What an error means. One that nobody judged was thrown by the caller's own function and is never retried. */
export function failureOf(error: unknown): Failure {
  return recordedFailure(error) ?? CALLER;
}
