/** What checkers find. */
import type { History } from "./history.ts";
import { describeOperation, type FinalState, type HistoryOperation } from "./operation.ts";

/**
 * What was broken. Names in brackets are Adya's and those of Elle (Kingsbury and Alvaro, "Elle: Inferring Isolation
 * Anomalies from Experimental Observations", VLDB 2020).
 *
 * - `lost-write`: acknowledged, and not there; `doubled-write`: there more than once; `wrong-verdict`: reported as failed,
 *   and there; `unwritten`: there, and asked for by nobody.
 * - `counter-bounds`, `bank-sum`, `balance-bounds`: a number that no set of the operations explains.
 * - `read-your-writes`, `monotonic-reads`: a session that does not see what it wrote, or saw.
 * - `aborted-read` (G1a), `intermediate-read` (G1b), `internal`, `duplicate-element`, `incompatible-order`: what one read of
 *   a list, or two of them, give away.
 * - `lost-update` (P4), `dirty-write` (G0), `circular-information-flow` (G1c), `read-skew` (G-single), `long-fork`
 *   (G-nonadjacent), `write-skew` (G2-item): transactions that stand in no order.
 * - `connection-leak`, `connection-shared`, `unsettled`: what was left behind, or given to two at a time.
 * - `truncated`: the history was longer than its limit and proves nothing.
 */
export type ViolationKind =
  | "lost-write"
  | "doubled-write"
  | "wrong-verdict"
  | "unwritten"
  | "counter-bounds"
  | "bank-sum"
  | "balance-bounds"
  | "read-your-writes"
  | "monotonic-reads"
  | "aborted-read"
  | "intermediate-read"
  | "internal"
  | "duplicate-element"
  | "incompatible-order"
  | "lost-update"
  | "dirty-write"
  | "circular-information-flow"
  | "read-skew"
  | "long-fork"
  | "write-skew"
  | "connection-leak"
  | "connection-shared"
  | "unsettled"
  | "truncated";

/** Something that the database did and must not do. */
export interface Violation {
  /** Which guarantee was broken. */
  readonly kind: ViolationKind;
  /** What was found, in plain words, with the operations. */
  readonly message: string;
  /** The operations that show it; empty where only the final state does. */
  readonly operations: readonly HistoryOperation[];
}

/** Judges a history that has ended: a pure function. */
export type Checker = (history: History, finalState?: FinalState) => Violation[];

/** A violation whose message ends with its operations. */
export function violation(kind: ViolationKind, message: string, operations: readonly HistoryOperation[]): Violation {
  const shown = operations.map(describeOperation).join("; ");
  return { kind, message: shown === "" ? message : `${message}: ${shown}`, operations };
}
