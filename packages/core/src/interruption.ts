/**
 * What may end a call before its time, and what is then known of it.
 */
import { TimeoutError } from "./errors.ts";
import { type Blame, type Failure, recordedFailure, type RetryAdvice, type Situation } from "./failure.ts";

/** Why a call is ended from outside, and what that means to those who may try again. */
export interface Interruption {
  readonly retry: RetryAdvice;
  readonly blames: Blame;
  readonly reason: string;
  /** Whether to ask the server to stop what it is running; pointless when it does not answer. */
  readonly cancel: boolean;
}

/** A limit in time passed. */
export const LATE: Interruption = { retry: "other-node", blames: "load", reason: "time ran out", cancel: true };
/** The caller left. */
export const ABORTED: Interruption = {
  retry: "never",
  blames: "caller",
  reason: "aborted by the caller",
  cancel: true,
};

/** The driver itself refused the statement. */
export const NOT_SENT: Failure = {
  phase: "unsent",
  effect: "none",
  retry: "never",
  blames: "caller",
  connection: "keep",
  reason: "the driver could not make a message of the statement",
};

/** The deadline had passed when the call got its connection. */
export function tooLateToSend(pool: string): TimeoutError {
  const reason = "the deadline passed before the call was sent";
  const { retry, blames } = LATE;
  return new TimeoutError(pool, reason, { phase: "unsent", effect: "none", retry, blames, connection: "keep", reason });
}

/** Whether the database may keep what was being done when the answer was lost. */
export function mayStay(situation: Situation): boolean {
  return situation.phase === "committing" || (situation.access === "write" && !situation.inTransaction);
}

/** What was recorded of an error, or of what caused it: people and ORMs wrap errors in their own. */
export function failureInCauses(error: unknown): Failure | undefined {
  let cause: unknown = error;
  // Chains of causes are short; the bound is for those that end in themselves.
  for (let depth = 0; depth < 8 && typeof cause === "object" && cause !== null; depth += 1) {
    const failure = recordedFailure(cause);
    if (failure !== undefined) return failure;
    cause = (cause as { cause?: unknown }).cause;
  }
  return undefined;
}
