/**
 * What may be run again, and which error tells the caller the truth when nothing is. Pure.
 */
import type { Failure, Operation } from "@breakwater/core";

/** What the caller opted in to. */
export interface OptIns {
  readonly retryLockTimeouts: boolean;
  readonly retryStatementTimeouts: boolean;
}

/** One call that has failed at least once. */
export interface FailedCall {
  readonly operation: Operation<unknown>;
  previousDelayMs: number | undefined;
  /** The last failure after which the database may have kept something. */
  unknown: { readonly error: unknown } | undefined;
  /** Retries so far, by reason, of the kinds of failure that are worth only so many. */
  readonly limited: Map<string, number>;
}

/** Whether running the call again could help and can do no harm. */
export function permits(failure: Failure, operation: Operation<unknown>, optIns: OptIns): boolean {
  if (failure.retry === "never") return false;
  if (failure.effect === "unknown" && !operation.idempotent) return false;
  if (failure.optIn === "lock") return optIns.retryLockTimeouts;
  if (failure.optIn === "timeout") return optIns.retryStatementTimeouts;
  return true;
}

/**
 * The error that tells the caller the truth about all attempts. That is the last one, unless an earlier attempt may have
 * been carried out and the last one, which was not, never got an answer: then it is that earlier one's.
 */
export function honest(call: FailedCall, error: unknown, failure: Failure): unknown {
  const answered = failure.blames === "statement" || (failure.blames === "caller" && !call.operation.signal?.aborted);
  return call.unknown === undefined || answered || failure.effect === "unknown" ? error : call.unknown.error;
}
