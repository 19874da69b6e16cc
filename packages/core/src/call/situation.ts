/**
 * In what situation a statement is sent, and so what a lost answer would leave open.
 */
import type { Dialect } from "../contract/dialect.ts";
import type { TransactionStatus } from "../contract/driver.ts";
import type { Situation } from "../contract/failure.ts";
import { OPEN } from "../store/giving-back.ts";
import type { Operation } from "../contract/operation.ts";

/** The situation of one statement of an operation; `begun` once the operation's transaction has been open. */
export function situationOf(
  text: string,
  { kind, access }: Operation<unknown>,
  status: TransactionStatus,
  begun: boolean,
  dialect: Dialect,
): Situation {
  if (kind === "query") return { phase: "running", access, inTransaction: false };
  // A transaction is taken to be open from before its BEGIN until the server says that it is not.
  const inTransaction = kind === "transaction" ? !begun || status !== "idle" : OPEN.has(status);
  // The caller's function may commit by hand, against all advice; then a lost answer is as ambiguous as ours. Before its
  // BEGIN has been answered there is nothing to commit, even where BEGIN commits what was open.
  const commits = inTransaction && (kind !== "transaction" || begun) && dialect.commits(text);
  const reads = access === "read" || ((kind === "session" || !inTransaction) && dialect.classify(text) === "read");
  return { phase: commits ? "committing" : "running", access: reads ? "read" : "write", inTransaction };
}

/** Whether the database may keep what was being done when the answer was lost. */
export function mayStay(situation: Situation): boolean {
  return situation.phase === "committing" || (situation.access === "write" && !situation.inTransaction);
}
