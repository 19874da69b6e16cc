/**
 * What the rows of this dialect's failure table say beyond those of any other.
 */
import type { FailureRow as AnyRow, Match as AnyMatch } from "@breakwater/core/failures";

/** Which errors a row speaks of. Every part that is given must fit; of a list, any entry. */
export interface Match extends AnyMatch {
  /** Any SQLSTATE at all. */
  readonly sqlstate?: true;
  /** The server function that raised it: never translated, so preferred over the text. With `texts`, one of the two must fit. */
  readonly routines?: readonly string[];
  /** How bad the server says that it is. */
  readonly severity?: Severity;
}

/** How bad the server says it is: the statement ended; the connection ended; it did not say, or not in known words. */
export type Severity = "error" | "fatal" | "unknown";

/** One row of the failure table. */
export type FailureRow = AnyRow<Match>;
