/** What is left behind: connections that nobody gave back, calls that never settled. */
import type { History } from "../history.ts";
import { eventsOf } from "../json-lines.ts";
import { type HistoryOperation, isOf } from "../operation.ts";
import { type Violation, violation } from "../violation.ts";

/**
 * Every connection that was handed out was given back, and belonged to one owner at a time.
 *
 * Proves it for connections whose acquire and release are recorded, under names that tell them apart. Cannot see a connection
 * that a pool opened for itself, nor one that was handed to a caller whose acquire was reported as failed.
 */
export function connectionLeaks(history: History): Violation[] {
  const violations: Violation[] = [];
  const owned = new Map<string, HistoryOperation>();
  for (const { operation, ends } of eventsOf(history)) {
    // It is the owner's until the release begins, and from the answer to the acquire on.
    if (isOf(operation, "release") && !ends) owned.delete(operation.action.connection);
    if (!isOf(operation, "acquire") || !ends || operation.outcome !== "ok") continue;
    const connection = operation.result ?? "";
    const owner = owned.get(connection);
    if (owner !== undefined) {
      const message = `connection "${connection}" was handed out while another had it`;
      violations.push(violation("connection-shared", message, [owner, operation]));
    }
    owned.set(connection, operation);
  }
  for (const [connection, operation] of owned) {
    violations.push(violation("connection-leak", `connection "${connection}" was never given back`, [operation]));
  }
  return violations;
}

/**
 * Every call was answered.
 *
 * Proves it for the moment of the check: who checks while calls still run is told of those.
 */
export function unsettledCalls(history: History): Violation[] {
  return history.operations
    .filter(({ outcome }) => outcome === "pending")
    .map((operation) => violation("unsettled", `a call was never answered`, [operation]));
}
