/** What commit resolution tells. */
import type { Outcome, TransactionIdentity } from "@breakwater/core";

/** The outcome of a transaction whose COMMIT was not answered has been found out, or could not be. */
export interface CommitResolved {
  readonly pool: string;
  readonly label: string | undefined;
  readonly transaction: TransactionIdentity;
  readonly outcome: Outcome;
  /** Who knew: the database's own status, or the row that the transaction had left in the ledger. */
  readonly by: "status" | "ledger";
  /** How long it took, in milliseconds. */
  readonly waitedMs: number;
}

declare module "@breakwater/core" {
  interface EventMap {
    "commit-resolution:resolved": CommitResolved;
  }
}
