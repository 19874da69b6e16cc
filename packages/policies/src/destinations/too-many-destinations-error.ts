/**
 * What a call is refused with for whose destination there is no room.
 */
import { RejectedError } from "@breakwater/core";

/** As many destinations are open as may be, and calls run on all of them. Nothing was sent. */
export class TooManyDestinationsError extends RejectedError {
  readonly code = "ERR_BREAKWATER_TOO_MANY_DESTINATIONS";

  /** `destination` is shown as it is given. */
  constructor(pool: string, destination: string, maxOpen: number) {
    const reason = "too many destinations are in use";
    super(`pool "${pool}": no room for the destination ${destination}: ${maxOpen} others are in use`, pool, {
      phase: "acquire",
      effect: "none",
      retry: "same-node",
      blames: "load",
      connection: "keep",
      reason,
    });
  }
}
