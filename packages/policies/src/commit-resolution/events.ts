/** What commit resolution tells. */
import type { Outcome, TransactionIdentity } from "@breakwater/core";

/** The outcome of a transaction whose COMMIT was not answered has been found out, or could not be. */
export interface CommitResolved {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** Who the transaction was. */
  readonly transaction: TransactionIdentity;
  /** What has become of it. */
  readonly outcome: Outcome;
  /** Who knew: the database's own status, or the row that the transaction had left in the ledger. */
  readonly by: "status" | "ledger";
  /** How long it took, in milliseconds. */
  readonly waitedMs: number;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** `commitResolution` has looked for a transaction whose COMMIT was not answered. */
    "commit-resolution:resolved": CommitResolved;
  }
}
