/** All checkers over one history, and the report of what they found. */
import { onlyKnown, oneOf } from "../check.ts";
import { bankSum, counterBounds } from "./checkers/counters.ts";
import { connectionLeaks, unsettledCalls } from "./checkers/connections.ts";
import { exactlyOnce } from "./checkers/exactly-once.ts";
import { registerReads } from "./checkers/registers.ts";
import { monotonicReads, readYourWrites } from "./checkers/sessions.ts";
import type { History } from "./history.ts";
import { listCycles } from "./lists/cycles.ts";
import { listReads } from "./lists/reads.ts";
import type { Action, FinalState, Outcome } from "./operation.ts";
import { type Checker, type Violation, type ViolationKind, violation } from "./violation.ts";

/** Every checker of the kit, by name. */
export const checkers: Readonly<Record<string, Checker>> = {
  exactlyOnce,
  counterBounds,
  bankSum,
  registerReads,
  readYourWrites,
  monotonicReads,
  listReads,
  listCycles,
  connectionLeaks,
  unsettledCalls,
};

/** How the transactions of the history ran: `snapshot` is PostgreSQL's REPEATABLE READ. */
export type Isolation = "read-committed" | "snapshot" | "serializable";

/** What each level does not forbid (Adya; Berenson et al.). */
const ALLOWED: Readonly<Record<Isolation, readonly ViolationKind[]>> = {
  "read-committed": ["lost-update", "read-skew", "long-fork", "write-skew"],
  snapshot: ["write-skew"],
  serializable: [],
};

/** What a history is checked for. */
export interface CheckOptions {
  /** @default all of them */
  readonly checkers?: readonly Checker[];
  /** What the database held in the end. Without it, writes are not compared with what became of them. */
  readonly finalState?: FinalState;
  /** Anomalies that this level does not forbid are listed as `allowed`. @default "serializable", which allows none */
  readonly isolation?: Isolation;
  /** Kinds that are expected besides, such as `long-fork` where lists are read from replicas. @default none */
  readonly allow?: readonly ViolationKind[];
}

/** What the checkers have found. */
export interface HistoryReport {
  /** No violation was found, and none is hidden by a history that was cut short. See `notChecked` for what nobody looked at. */
  readonly passed: boolean;
  /** What was found and is forbidden; the rest of what was found is `allowed`. */
  readonly violations: readonly Violation[];
  /** Found, and not forbidden by `isolation` and `allow`. */
  readonly allowed: readonly Violation[];
  /** How many operations had each outcome. */
  readonly operations: Readonly<Record<Outcome, number>>;
  /** How many violations there are of each kind that was found. */
  readonly counts: Readonly<Partial<Record<ViolationKind, number>>>;
  /** Effects that the history has and the final state leaves out: whether they are lost or doubled was not checked. */
  readonly notChecked: readonly (keyof FinalState)[];
}

/**
 * Judges a history that has ended.
 *
 * @throws RangeError when an option is unknown or out of range, or ids are not unique.
 */
export function check(history: History, options: CheckOptions = {}): HistoryReport {
  onlyKnown("check", options, ["checkers", "finalState", "isolation", "allow"]);
  const isolation = oneOf("isolation", options.isolation ?? "serializable", [
    "read-committed",
    "snapshot",
    "serializable",
  ]);
  const { finalState, allow = [] } = options;
  const found = [
    ...truncated(history),
    ...(options.checkers ?? Object.values(checkers)).flatMap((one) => one(history, finalState)),
  ];
  const isAllowed = ({ kind }: Violation): boolean => allow.includes(kind) || ALLOWED[isolation].includes(kind);
  const violations = found.filter((one) => !isAllowed(one));
  const counts: Partial<Record<ViolationKind, number>> = {};
  for (const { kind } of violations) counts[kind] = (counts[kind] ?? 0) + 1;
  return {
    passed: violations.length === 0,
    violations,
    allowed: found.filter(isAllowed),
    operations: history.counts(),
    counts,
    notChecked: notChecked(history, finalState ?? {}),
  };
}

function truncated(history: History): Violation[] {
  if (history.dropped === 0) return [];
  const message = `${history.dropped} operations came after the limit of the history and were not recorded; raise maxOperations`;
  return [violation("truncated", message, [])];
}

function notChecked(history: History, finalState: FinalState): (keyof FinalState)[] {
  const missing = new Set<keyof FinalState>();
  for (const { action } of history.operations) {
    const [part, ...others] = shownBy(action);
    // Rows of transfers show them as well as the balances do.
    if (part !== undefined && [part, ...others].every((one) => finalState[one] === undefined)) missing.add(part);
  }
  return [...missing];
}

/** The parts of a final state of which any one shows what became of an action. */
function shownBy(action: Action): readonly (keyof FinalState)[] {
  switch (action.kind) {
    case "write":
      return [action.register === undefined ? "writes" : "registers"];
    case "increment":
      return ["counters"];
    case "transfer":
      return ["transfers", "balances"];
    case "transaction":
      return action.steps.some((step) => step.do === "append") ? ["lists"] : [];
    default:
      return [];
  }
}
