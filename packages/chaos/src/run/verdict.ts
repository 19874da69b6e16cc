/** What a run has shown: violations of its history, and of what the scenario expects. */
import { check } from "../history/check.ts";
import type { History } from "../history/history.ts";
import { describeOperation, type FinalState, type HistoryOperation } from "../history/operation.ts";
import { msOf } from "../scenario/duration.ts";
import type { Expectations } from "../scenario/model.ts";
import type { CallAccess, ExpectationKind, Latencies, RunOperation, RunStep, RunViolation } from "./record.ts";
import { latenciesOf } from "./samples.ts";

const MAX_VIOLATIONS = 500;
const MAX_OPERATIONS = 20;

/** What the verdict is made of. */
export interface Evidence {
  readonly history: History;
  readonly finalState: FinalState;
  readonly expect: Expectations;
  readonly steps: readonly RunStep[];
  /** Connections open after the subject was closed, as texts. */
  readonly left: readonly string[];
  /** Why the subject could not be closed; undefined when it could. */
  readonly notClosed: string | undefined;
  /** When the load began, by the history's clock. */
  readonly originMs: number;
}

export interface Judgement {
  readonly violations: readonly RunViolation[];
  readonly counts: Readonly<Record<string, number>>;
}

/** Judges a run that has ended. */
export function judge(evidence: Evidence): Judgement {
  const { history, finalState, expect, originMs } = evidence;
  const { isolation = "read-committed", allow = [] } = expect;
  const report = check(history, { finalState, isolation, allow });
  const found: RunViolation[] = report.violations.map(({ kind, message, operations }) => ({
    kind,
    message,
    operations: operations.slice(0, MAX_OPERATIONS).map((one) => runOperation(one, originMs)),
  }));
  for (const part of report.notChecked) {
    found.push({ kind: "truncated", message: `the final state has no ${part}: nobody looked at them`, operations: [] });
  }
  // What was expected comes first: it is the shorter list.
  const violations = [...expectations(evidence), ...found];
  const counts: Record<string, number> = {};
  for (const { kind } of violations) counts[kind] = (counts[kind] ?? 0) + 1;
  return { violations: violations.slice(0, MAX_VIOLATIONS), counts };
}

function expectations({ history, expect, steps, left, notClosed, originMs }: Evidence): RunViolation[] {
  const violations: RunViolation[] = [];
  const { operations } = history;
  const counts = history.counts();
  const add = (kind: ExpectationKind, message: string, shown: readonly HistoryOperation[] = []): void => {
    violations.push({
      kind,
      message,
      operations: shown.slice(0, MAX_OPERATIONS).map((one) => runOperation(one, originMs)),
    });
  };
  for (const { path, text, status, error } of steps) {
    if (status === "unmet") add("stalled", `${path} (${text}): ${error}`);
  }
  const { failed, unknown, acknowledged = 1, latency = {} } = expect;
  if (failed !== undefined && counts.fail > failed) {
    const those = operations.filter(({ outcome }) => outcome === "fail");
    add("failed-calls", `${counts.fail} calls failed, ${failed} may`, those);
  }
  if (unknown !== undefined && counts.unknown > unknown) {
    const those = operations.filter(({ outcome }) => outcome === "unknown");
    add("unknown-calls", `the outcome of ${counts.unknown} calls is not known, of ${unknown} it may not be`, those);
  }
  if (counts.ok < acknowledged) add("few-calls", `${counts.ok} calls succeeded, ${acknowledged} have to`);
  const measured = latenciesOf(operations);
  for (const [access, bounds] of Object.entries(latency)) {
    const times = measured[access as CallAccess];
    for (const [name, bound] of Object.entries(bounds)) {
      const limitMs = msOf(bound);
      const ms = times?.[name as Exclude<keyof Latencies, "count">];
      if (ms === undefined || limitMs === undefined || ms <= limitMs) continue;
      add("slow-calls", `${name} of ${access} calls is ${ms} ms, ${limitMs} ms is expected`);
    }
  }
  if (left.length > 0)
    add("connections-left", `${left.length} connections are still open: ${left.slice(0, 5).join("; ")}`);
  if (notClosed !== undefined) add("stalled", `the subject was not closed: ${notClosed}`);
  return violations;
}

function runOperation(operation: HistoryOperation, originMs: number): RunOperation {
  const { index, session, outcome, invokedMs, completedMs, error } = operation;
  const round = (ms: number): number => Math.round((ms - originMs) * 10) / 10;
  return {
    index,
    session,
    text: describeOperation(operation)
      .replace(`#${index} ${session} `, "")
      .replace(/ \(\w+\)$/, ""),
    outcome,
    fromMs: round(invokedMs),
    ...(completedMs === undefined ? {} : { toMs: round(completedMs) }),
    ...(error === undefined ? {} : { error }),
  };
}
