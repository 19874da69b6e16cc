import { BreakwaterError } from "@breakwater/core";

/**
 * A connection was held longer than `forceReturnAfterMs`, and was taken from its holder. It has been ended; nobody else
 * gets it. Nothing of an open transaction is kept; what may be kept is an `OutcomeUnknownError` with this as its cause.
 */
export class HeldTooLongError extends BreakwaterError {
  readonly code = "ERR_BREAKWATER_HELD_TOO_LONG";
  /** How long it had been held, in milliseconds. */
  readonly heldMs: number;

  constructor(pool: string, heldMs: number) {
    super(`pool "${pool}": a connection was held for ${Math.round(heldMs)} ms and was taken from its holder`, pool, {
      phase: "running",
      effect: "none",
      retry: "never",
      blames: "caller",
      connection: "destroy",
      reason: "held too long",
    });
    this.heldMs = heldMs;
  }
}
