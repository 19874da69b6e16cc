/**
 * What the rows of this dialect's failure table say beyond those of any other.
 */
import type { FailureRow as AnyRow, Match as AnyMatch } from "@breakwater/core/failures";

/** Which errors a row speaks of. Every part that is given must fit; of a list, any entry. */
export interface Match extends AnyMatch {
  /** The server's error number. */
  readonly numbers?: readonly number[];
  /** Whether the server raised it, as the answer to what it was sent or with its last words on the connection. */
  readonly server?: true;
  /** The SQLSTATE beside the number. */
  readonly sqlstates?: readonly string[];
}

/** One row of the failure table. */
export interface FailureRow extends AnyRow<Match> {
  /** With this error the server ends the connection: it is no answer to the statement. */
  readonly ends?: true;
}
