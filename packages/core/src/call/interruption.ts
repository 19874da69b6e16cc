/**
 * What may end a call before its time, and what is then known of it.
 */
import { TimeoutError } from "../contract/errors.ts";
import {
  type Blame,
  type Failure,
  noteFailure,
  recordedFailure,
  type RetryAdvice,
  type Situation,
} from "../contract/failure.ts";
import { mayStay } from "./situation.ts";

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

/** What the end of a call from outside means, by what it was running. `once` is a call that must not be run again. */
export function interrupted(why: Interruption, running: Situation | undefined, once: boolean): Failure {
  return {
    phase: running?.phase ?? "running",
    effect: running !== undefined && mayStay(running) ? "unknown" : "none",
    retry: once ? "never" : why.retry,
    blames: why.blames,
    connection: "destroy",
    reason: why.reason,
  };
}

/**
 * Notes of an error that came out of a caller's function what was recorded of it, or of what caused it; else what had
 * stopped the function's work, if something had.
 */
export function noteCause(error: unknown, stopped: Failure | undefined, once: boolean): void {
  const failure = failureInCauses(error) ?? stopped;
  if (failure === undefined) return;
  if (once && failure.retry !== "never") noteFailure(error, { ...failure, retry: "never" });
  else if (recordedFailure(error) === undefined) noteFailure(error, failure);
}

/** What was recorded of an error, or of what caused it: people and ORMs wrap errors in their own. */
function failureInCauses(error: unknown): Failure | undefined {
  let cause: unknown = error;
  // Chains of causes are short; the bound is for those that end in themselves.
  for (let depth = 0; depth < 8 && typeof cause === "object" && cause !== null; depth += 1) {
    const failure = recordedFailure(cause);
    if (failure !== undefined) return failure;
    cause = (cause as { cause?: unknown }).cause;
  }
  return undefined;
}
