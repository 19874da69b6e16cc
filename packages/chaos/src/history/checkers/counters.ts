/**
 * Counters and accounts: numbers that some set of the operations has to explain.
 *
 * These see sums, not single effects: one increment lost and another done twice cancel out, and every increment of unknown
 * outcome widens the bounds by its size. A read is held against all that had been asked for by its end, not against what had been acknowledged,
 * because a replica may lag; what a session may expect beyond that is `readYourWrites`.
 */
import type { History } from "../history.ts";
import { eventsOf } from "../json-lines.ts";
import { type FinalState, type HistoryOperation, isOf } from "../operation.ts";
import { type Violation, violation } from "../violation.ts";

/** The lowest and highest value that is possible. */
interface Bounds {
  low: number;
  high: number;
}

/** Adds an effect that may have happened, or one that must have. */
function widen(bounds: Bounds, by: number, certain: boolean): void {
  bounds.low += certain ? by : Math.min(by, 0);
  bounds.high += certain ? by : Math.max(by, 0);
}

function outside(value: number, { low, high }: Bounds): boolean {
  return !(value >= low && value <= high);
}

function range({ low, high }: Bounds): string {
  return low === high ? `${low}` : `${low} to ${high}`;
}

/** Counters show no more than was asked for, and end with all that was acknowledged. */
export function counterBounds(history: History, finalState: FinalState = {}): Violation[] {
  const violations: Violation[] = [];
  const asked = new Map<string, Bounds>();
  const ends = new Map<string, Bounds>();
  const of = (counters: Map<string, Bounds>, name: string): Bounds => {
    const start = history.opening.counters?.[name] ?? 0;
    const bounds = counters.get(name) ?? { low: start, high: start };
    counters.set(name, bounds);
    return bounds;
  };
  for (const { operation, ends: isEnd } of eventsOf(history)) {
    if (isOf(operation, "increment") && !isEnd && operation.outcome !== "fail") {
      const { counter, by } = operation.action;
      widen(of(asked, counter), by, false);
      widen(of(ends, counter), by, operation.outcome === "ok");
    } else if (isOf(operation, "count") && isEnd && operation.outcome === "ok") {
      const { counter } = operation.action;
      const value = operation.result ?? Number.NaN;
      const bounds = of(asked, counter);
      if (!outside(value, bounds)) continue;
      const message = `counter "${counter}" was read as ${value}; what had been asked for allows ${range(bounds)}`;
      violations.push(violation("counter-bounds", message, [operation]));
    }
  }
  for (const [counter, value] of Object.entries(finalState.counters ?? {})) {
    const bounds = of(ends, counter);
    if (!outside(value, bounds)) continue;
    const open = operationsOn(history, counter).filter(({ outcome }) => outcome !== "ok");
    const message = `counter "${counter}" ends as ${value}; the acknowledged increments and those of unknown outcome allow ${range(bounds)}`;
    violations.push(violation("counter-bounds", message, open));
  }
  return violations;
}

function operationsOn(history: History, counter: string): HistoryOperation[] {
  return history.operations.filter((operation) => isOf(operation, "increment") && operation.action.counter === counter);
}

/**
 * Transfers keep the sum of the balances, in every read and in the end, and each account ends with what its transfers make of it.
 *
 * The sum proves that no transfer was done by half. Which transfers were done shows in the balances only as far as the bounds
 * are narrow: exactly, when the final state has the rows of the transfers.
 */
export function bankSum(history: History, finalState: FinalState = {}): Violation[] {
  const { opening } = history;
  const reads = history.operations.filter(
    (operation): operation is HistoryOperation<"sum"> => isOf(operation, "sum") && operation.outcome === "ok",
  );
  const final = finalState.balances;
  const expected = opening.balances === undefined ? reads[0]?.result : total(opening.balances);
  const violations = reads
    .filter(({ result }) => result !== expected)
    .map((read) =>
      violation("bank-sum", `the balances were read as ${read.result} in all instead of ${expected}`, [read]),
    );
  if (final === undefined) return violations;
  if (expected !== undefined && total(final) !== expected) {
    violations.push(violation("bank-sum", `the balances end as ${total(final)} in all instead of ${expected}`, []));
  }
  if (opening.balances !== undefined) violations.push(...accounts(history, finalState, opening.balances, final));
  return violations;
}

type Balances = Readonly<Record<string, number>>;

function accounts(history: History, finalState: FinalState, opening: Balances, final: Balances): Violation[] {
  const bounds = new Map(Object.entries(opening).map(([name, value]) => [name, { low: value, high: value }]));
  const touching = new Map<string, HistoryOperation[]>();
  for (const operation of history.operations) {
    if (!isOf(operation, "transfer") || operation.outcome === "fail") continue;
    const { id, from, to, amount } = operation.action;
    const rows = finalState.transfers?.[id] ?? 0;
    const counted = finalState.transfers !== undefined;
    for (const [name, by] of [[from, -amount] as const, [to, amount] as const]) {
      const account = bounds.get(name);
      if (account === undefined) continue;
      widen(account, counted ? by * rows : by, counted || operation.outcome === "ok");
      const others = touching.get(name);
      if (others === undefined) touching.set(name, [operation]);
      else others.push(operation);
    }
  }
  return [...bounds]
    .filter(([name, account]) => outside(final[name] ?? 0, account))
    .map(([name, account]) => {
      const message = `account "${name}" ends as ${final[name] ?? 0}; its transfers make ${range(account)}`;
      const open = (touching.get(name) ?? []).filter(({ outcome }) => outcome !== "ok");
      return violation("balance-bounds", message, open);
    });
}

function total(balances: Balances): number {
  return Object.values(balances).reduce((sum, balance) => sum + balance, 0);
}
