/**
 * Effects: every acknowledged write is there exactly once, one of unknown outcome at most once, a failed one not at all.
 *
 * Proves all of that for writes, transfers and appends whose rows or elements the final state lists. Cannot prove anything about
 * a kind that the final state leaves out. Of a register only the last value is left: that its value is older than an
 * acknowledged write, was refused, or came from nowhere is found; that a write to it was done twice is not.
 */
import type { History } from "../history.ts";
import { type FinalState, type HistoryOperation, isOf, isOpen } from "../operation.ts";
import { type Violation, violation } from "../violation.ts";
import { indexLists, type ListIndex } from "../lists/list-index.ts";
import { registersOf } from "./registers.ts";

/** What one id or element has come to. */
interface Effect {
  readonly name: string;
  readonly operation: HistoryOperation;
  readonly copies: number;
}

/** Compares what callers were told with what there is. */
export function exactlyOnce(history: History, finalState: FinalState = {}): Violation[] {
  const { writes, transfers, lists } = finalState;
  const rows = history.operations.filter(
    (operation) => isOf(operation, "write") && operation.action.register === undefined,
  );
  const moved = history.operations.filter((operation) => isOf(operation, "transfer"));
  return [
    ...(writes === undefined ? [] : ids("row", rows, writes)),
    ...(transfers === undefined ? [] : ids("transfer", moved, transfers)),
    ...(lists === undefined ? [] : elements(indexLists(history, finalState), lists)),
    ...registers(history, finalState),
  ];
}

function ids(
  what: string,
  operations: readonly HistoryOperation[],
  found: Readonly<Record<string, number>>,
): Violation[] {
  const copies = new Map(Object.entries(found));
  const asked = new Map<string, HistoryOperation>();
  for (const operation of operations) {
    const { id } = operation.action as { readonly id: string };
    if (asked.has(id)) throw new RangeError(`history: the id "${id}" is written by two operations`);
    asked.set(id, operation);
  }
  return [
    ...[...asked].flatMap(([id, operation]) =>
      judge({ name: `${what} "${id}"`, operation, copies: copies.get(id) ?? 0 }),
    ),
    ...[...copies.keys()].filter((id) => !asked.has(id)).map((id) => unwritten(`${what} "${id}"`)),
  ];
}

function elements(index: ListIndex, lists: NonNullable<FinalState["lists"]>): Violation[] {
  const violations: Violation[] = [];
  for (const [list, { appends }] of index.lists) {
    const copies = new Map<unknown, number>();
    for (const element of lists[list] ?? []) copies.set(element, (copies.get(element) ?? 0) + 1);
    for (const [element, { operation }] of appends) {
      const name = `element ${JSON.stringify(element)} of list "${list}"`;
      violations.push(...judge({ name, operation, copies: copies.get(element) ?? 0 }));
      copies.delete(element);
    }
    for (const element of copies.keys()) {
      violations.push(unwritten(`element ${JSON.stringify(element)} of list "${list}"`));
    }
  }
  return violations;
}

function judge({ name, operation, copies }: Effect): Violation[] {
  if (operation.outcome === "fail" && copies > 0) {
    return [violation("wrong-verdict", `${name} was reported as failed and is there`, [operation])];
  }
  if (operation.outcome === "ok" && copies === 0) {
    return [violation("lost-write", `${name} was acknowledged and is not there`, [operation])];
  }
  if (copies > 1) {
    const told = isOpen(operation) ? "its outcome was unknown, once at most is right" : "it was asked for once";
    return [violation("doubled-write", `${name} is there ${copies} times; ${told}`, [operation])];
  }
  return [];
}

function registers(history: History, { registers: found }: FinalState): Violation[] {
  if (found === undefined) return [];
  const violations: Violation[] = [];
  for (const [name, register] of registersOf(history)) {
    const value = found[name];
    if (value === undefined) continue;
    const shown = `register "${name}" ends as ${JSON.stringify(value)}`;
    const write = value === null ? undefined : register.writes.get(value);
    if (write === undefined && value !== null && value !== register.opening) {
      violations.push(unwritten(`${shown}: this value`));
    } else if (write?.operation.outcome === "fail") {
      violations.push(violation("wrong-verdict", `${shown}, whose write was reported as failed`, [write.operation]));
    } else {
      const newest = register.newest;
      if (newest !== undefined && (write?.latest ?? -1) < newest.earliest) {
        const message = `${shown}, although an acknowledged write began after that value was there`;
        violations.push(violation("lost-write", message, [newest.operation]));
      }
    }
  }
  return violations;
}

function unwritten(what: string): Violation {
  return violation("unwritten", `${what} is there, and no operation asked for it`, []);
}
