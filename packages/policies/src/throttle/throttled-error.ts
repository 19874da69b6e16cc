/**
 * What a call is refused with.
 */
import { RejectedError } from "@breakwater/core";

/** The server has been refusing calls for lack of room, and this one was not sent to it. */
export class ThrottledError extends RejectedError {
  readonly code = "ERR_BREAKWATER_THROTTLED";
  /** How probable it was that this call would be refused. */
  readonly probability: number;

  constructor(pool: string, probability: number) {
    const reason = "throttled: the server has been refusing calls for lack of room";
    super(`pool "${pool}": ${reason}, so ${Math.round(probability * 100)} % of the calls are not sent`, pool, {
      phase: "acquire",
      effect: "none",
      retry: "other-node",
      blames: "load",
      connection: "keep",
      reason,
    });
    this.probability = probability;
  }
}
