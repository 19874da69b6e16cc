/**
 * Sessions: who has written or seen something sees no older state afterwards.
 *
 * Only calls that ended before another of the same session began stand in an order; calls of one session that run at the same
 * time are not held against each other. Rows, registers, counters and lists are looked at:
 *
 * - of a list, and of a counter that is only incremented, everything is proved;
 * - of registers, only that a value was certainly replaced before the newer one was written: see `registersOf`.
 */
import type { History } from "../history.ts";
import { eventsOf } from "../json-lines.ts";
import { type FinalState, type HistoryOperation, isOf } from "../operation.ts";
import { indexLists, type ListIndex } from "../lists/list-index.ts";
import { type Violation, type ViolationKind, violation } from "../violation.ts";
import { type Register, registersOf } from "./registers.ts";

/** How far something had come; comparable with others of the same key only. */
interface Mark {
  /** What was written or read, as it is shown. */
  readonly key: string;
  /** Where it stood at least. */
  readonly from: number;
  /** Where it stood at most. */
  readonly to: number;
}

interface Marks {
  readonly written: readonly Mark[];
  readonly seen: readonly Mark[];
}

interface Floor {
  readonly at: number;
  readonly operation: HistoryOperation;
}

/** A session's reads show what the session has written before. */
export function readYourWrites(history: History, finalState: FinalState = {}): Violation[] {
  const tell = (key: string): string => `${key} was read without what its session had written before`;
  return fallenBehind(history, observer(history, finalState), { kind: "read-your-writes", raisedBy: "written", tell });
}

/** A session's reads never show a state from before one that the session has read. */
export function monotonicReads(history: History, finalState: FinalState = {}): Violation[] {
  const tell = (key: string): string => `${key} was read in an older state than its session had read before`;
  return fallenBehind(history, observer(history, finalState), { kind: "monotonic-reads", raisedBy: "seen", tell });
}

type Observer = (operation: HistoryOperation, ends: boolean) => Marks;

interface Rule {
  readonly kind: ViolationKind;
  /** What sets the floor for the reads that follow. */
  readonly raisedBy: keyof Marks;
  readonly tell: (key: string) => string;
}

function fallenBehind(history: History, marksOf: Observer, { kind, raisedBy, tell }: Rule): Violation[] {
  const violations: Violation[] = [];
  const sessions = new Map<string, Map<string, Floor>>();
  /** The floors of each read that runs, as they stood when it began. */
  const running = new Map<HistoryOperation, readonly (Floor | undefined)[]>();
  for (const { operation, ends } of eventsOf(history)) {
    if (operation.outcome !== "ok") continue;
    const floors = sessions.get(operation.session) ?? new Map<string, Floor>();
    sessions.set(operation.session, floors);
    const marks = marksOf(operation, ends);
    if (!ends) {
      running.set(
        operation,
        marks.seen.map(({ key }) => floors.get(key)),
      );
      continue;
    }
    for (const [at, floor] of (running.get(operation) ?? []).entries()) {
      const read = marks.seen[at];
      if (floor === undefined || read === undefined || read.to >= floor.at) continue;
      violations.push(violation(kind, tell(read.key), [floor.operation, operation]));
    }
    running.delete(operation);
    for (const { key, from } of marks[raisedBy]) {
      if (from > (floors.get(key)?.at ?? -Infinity)) floors.set(key, { at: from, operation });
    }
  }
  return violations;
}

const NOTHING: Marks = { written: [], seen: [] };

/** What each acknowledged operation wrote and saw. Has to be asked in the order of the events. */
function observer(history: History, finalState: FinalState): Observer {
  const registers = registersOf(history);
  const { lists } = indexLists(history, finalState);
  const growing = growingCounters(history);
  const sums = new Map<string, number>();
  return (operation, ends) => {
    if (isOf(operation, "write")) {
      const { id, register = id } = operation.action;
      return { written: [mark(`register "${register}"`, operation.invoked)], seen: [] };
    }
    if (isOf(operation, "read")) return { written: [], seen: registerMarks(registers, operation) };
    if (isOf(operation, "transaction")) return listMarks(lists, operation);
    if (isOf(operation, "count")) {
      const { counter } = operation.action;
      const seen = growing.has(counter) ? [mark(`counter "${counter}"`, operation.result ?? 0)] : [];
      return { written: [], seen };
    }
    if (!isOf(operation, "increment") || !ends) return NOTHING;
    // What the session itself has added so far: a counter that only grows can show no less.
    const { counter, by } = operation.action;
    const own = JSON.stringify([operation.session, counter]);
    const sum = (sums.get(own) ?? history.opening.counters?.[counter] ?? 0) + by;
    sums.set(own, sum);
    return growing.has(counter) ? { written: [mark(`counter "${counter}"`, sum)], seen: [] } : NOTHING;
  };
}

function mark(key: string, from: number, to: number = from): Mark {
  return { key, from, to };
}

function registerMarks(registers: ReadonlyMap<string, Register>, read: HistoryOperation<"read">): Mark[] {
  const name = read.action.register;
  const register = registers.get(name);
  const value = read.result ?? null;
  const write = value === null ? undefined : register?.writes.get(value);
  if (write !== undefined) return [mark(`register "${name}"`, write.earliest, write.latest)];
  // A value that nobody wrote says nothing of the others; it is a violation of its own.
  return value === null || value === register?.opening ? [mark(`register "${name}"`, -1)] : [];
}

function listMarks(lists: ListIndex["lists"], { action, result }: HistoryOperation<"transaction">): Marks {
  const written: Mark[] = [];
  const seen: Mark[] = [];
  for (const step of result ?? action.steps) {
    const key = `list "${step.list}"`;
    if (step.do === "append") {
      // Nobody ever saw it: then any later read of the session lacks it.
      const position = lists.get(step.list)?.positions.get(step.element) ?? Infinity;
      written.push(mark(key, position + 1));
    } else if (step.elements !== undefined) {
      seen.push(mark(key, step.elements.length));
    }
  }
  return { written, seen };
}

/** Counters that nobody decrements. */
function growingCounters(history: History): ReadonlySet<string> {
  const growing = new Set<string>();
  for (const { action } of history.operations) {
    if (action.kind === "count" || action.kind === "increment") growing.add(action.counter);
  }
  for (const { action } of history.operations) {
    if (action.kind === "increment" && action.by < 0) growing.delete(action.counter);
  }
  return growing;
}
