/** One way after another to break a history that was right: effects, numbers, sessions, and what is left behind. */
import type { ViolationKind } from "../violation.ts";
import { append, type Draft, type DraftOperation, read } from "./draft.ts";

/** Plants an anomaly. Gives the operations that show it, or undefined where the history has no place for it. */
export interface Plant {
  readonly kind: ViolationKind;
  readonly how: string;
  readonly plant: (draft: Draft) => readonly DraftOperation[] | undefined;
  /** Other kinds that the same change may bring about. */
  readonly also?: readonly ViolationKind[];
}

function rowsOf(draft: Draft, outcome: DraftOperation["outcome"]): DraftOperation[] {
  return draft.operations.filter(
    ({ action, outcome: told }) => action.kind === "write" && action.register === undefined && told === outcome,
  );
}

/** Sets how many rows there are of one write that was told an outcome. */
function copies(outcome: DraftOperation["outcome"], count: number): Plant["plant"] {
  return (draft) => {
    const operation = draft.one(rowsOf(draft, outcome));
    if (operation?.action.kind !== "write") return undefined;
    draft.final.writes[operation.action.id] = count;
    return [operation];
  };
}

/** A new list with one append, and what it ends as. */
function listEnds(outcome: DraftOperation["outcome"], ends: readonly string[]): Plant["plant"] {
  return (draft) => {
    const list = draft.fresh();
    const operation = draft.transact([append(list, "x")]);
    operation.outcome = outcome;
    draft.final.lists[list] = [...ends];
    return [operation];
  };
}

export const EFFECTS: readonly Plant[] = [
  { kind: "lost-write", how: "a row is gone", plant: copies("ok", 0) },
  { kind: "lost-write", how: "an element is gone", plant: listEnds("ok", []) },
  {
    kind: "lost-write",
    how: "a register ends with what was overwritten",
    plant: (draft) => {
      const register = draft.fresh();
      const first = draft.add({ kind: "write", id: draft.fresh(), register }, null);
      const second = draft.add({ kind: "write", id: draft.fresh(), register }, null, draft.moment(first.completed));
      draft.final.registers[register] = draft.dice(2) === 0 ? null : (first.action as { id: string }).id;
      return [second];
    },
  },
  {
    kind: "lost-write",
    how: "a transfer's row is gone",
    plant: (draft) => {
      const operation = draft.one(draft.acknowledged(({ action }) => action.kind === "transfer"));
      if (operation?.action.kind !== "transfer") return undefined;
      delete draft.final.transfers[operation.action.id];
      return [operation];
    },
    also: ["balance-bounds"],
  },
  { kind: "doubled-write", how: "an acknowledged row is there twice", plant: copies("ok", 2) },
  { kind: "doubled-write", how: "a row of unknown outcome is there twice", plant: copies("unknown", 2) },
  { kind: "doubled-write", how: "an element is there twice", plant: listEnds("ok", ["x", "x"]) },
  { kind: "wrong-verdict", how: "a failed row is there", plant: copies("fail", 1) },
  { kind: "wrong-verdict", how: "a failed element is there", plant: listEnds("fail", ["x"]) },
  {
    kind: "unwritten",
    how: "an element that nobody appended",
    plant: (draft) => {
      listEnds("ok", ["x", "y"])(draft);
      return [];
    },
  },
  {
    kind: "unwritten",
    how: "a row that nobody wrote",
    plant: (draft) => {
      draft.final.writes[draft.fresh()] = 1;
      return [];
    },
  },
  {
    kind: "unwritten",
    how: "a value that nobody wrote is read",
    plant: (draft) => [draft.add({ kind: "read", register: "r1" }, draft.fresh())],
  },
  {
    kind: "aborted-read",
    how: "the value of a failed write is read",
    plant: (draft) => {
      const [register, id] = [draft.fresh(), draft.fresh()];
      const write = draft.add({ kind: "write", id, register }, null);
      write.outcome = "fail";
      return [write, draft.add({ kind: "read", register }, id, draft.moment(write.invoked))];
    },
  },
];

/** A new counter with some increments, and what is then read, or what it ends as. */
function counter(off: number, seen: "read" | "end"): Plant["plant"] {
  return (draft) => {
    const name = draft.fresh();
    const number = 1 + draft.dice(4);
    const increments = Array.from({ length: number }, () =>
      draft.add({ kind: "increment", counter: name, by: 1 }, null),
    );
    draft.final.counters[name] = number + (seen === "end" ? off : 0);
    if (seen === "end") return [];
    const last = Math.max(...increments.map(({ completed }) => completed));
    return [draft.add({ kind: "count", counter: name }, number + off, draft.moment(last))];
  };
}

export const NUMBERS: readonly Plant[] = [
  { kind: "counter-bounds", how: "an increment is lost", plant: counter(-1, "end") },
  { kind: "counter-bounds", how: "an increment is done twice", plant: counter(1, "end") },
  { kind: "counter-bounds", how: "more is read than was asked for", plant: counter(1, "read") },
  {
    kind: "bank-sum",
    how: "half a transfer is read",
    plant: (draft) => {
      const operation = draft.one(draft.acknowledged(({ action }) => action.kind === "sum"));
      if (operation === undefined) return undefined;
      operation.result = Number(operation.result) + (draft.dice(2) === 0 ? 1 : -1) * (1 + draft.dice(9));
      return [operation];
    },
  },
  {
    kind: "bank-sum",
    how: "half a transfer is kept",
    plant: (draft) => {
      draft.final.balances["a0"] = (draft.final.balances["a0"] ?? 0) - 1 - draft.dice(9);
      return [];
    },
    also: ["balance-bounds"],
  },
  {
    kind: "balance-bounds",
    how: "a transfer is done twice",
    plant: (draft) => {
      const operation = draft.one(draft.acknowledged(({ action }) => action.kind === "transfer"));
      if (operation?.action.kind !== "transfer") return undefined;
      const { from, to, amount } = operation.action;
      draft.final.balances[from] = (draft.final.balances[from] ?? 0) - amount;
      draft.final.balances[to] = (draft.final.balances[to] ?? 0) + amount;
      return [];
    },
  },
];

/** A new register in which one value took the place of another; the session reads, or writes, the new one and then reads the old. */
function backToOld(seen: "read" | "write"): Plant["plant"] {
  return (draft) => {
    const [register, old, fresh, session] = [draft.fresh(), draft.fresh(), draft.fresh(), draft.session()];
    const first = draft.add({ kind: "write", id: old, register }, null, draft.moment(), "another");
    const writer = seen === "write" ? session : "another";
    const second = draft.add({ kind: "write", id: fresh, register }, null, draft.moment(first.completed), writer);
    const before = draft.add({ kind: "read", register }, fresh, draft.moment(second.completed), session);
    const shown = draft.dice(2) === 0 ? old : null;
    const after = draft.add({ kind: "read", register }, shown, draft.moment(before.completed), session);
    if (seen === "read") return [before, after];
    draft.operations.splice(draft.operations.indexOf(before), 1);
    return [second, after];
  };
}

export const SESSIONS: readonly Plant[] = [
  { kind: "read-your-writes", how: "an overwritten value is read", plant: backToOld("write") },
  { kind: "monotonic-reads", how: "an older value is read", plant: backToOld("read") },
  {
    kind: "read-your-writes",
    how: "a row of the session is not found",
    plant: (draft) => {
      const write = draft.one(rowsOf(draft, "ok"));
      if (write?.action.kind !== "write") return undefined;
      const register = write.action.id;
      return [write, draft.add({ kind: "read", register }, null, draft.moment(write.completed), write.session)];
    },
  },
  {
    kind: "read-your-writes",
    how: "an increment of the session is not counted",
    plant: (draft) => {
      const name = draft.fresh();
      const increment = draft.add({ kind: "increment", counter: name, by: 1 }, null);
      draft.final.counters[name] = 1;
      const count = draft.add(
        { kind: "count", counter: name },
        0,
        draft.moment(increment.completed),
        increment.session,
      );
      return [increment, count];
    },
  },
  {
    kind: "monotonic-reads",
    how: "a counter goes back",
    plant: (draft) => {
      const [name, session] = [draft.fresh(), draft.session()];
      const increment = draft.add({ kind: "increment", counter: name, by: 1 }, null, draft.moment(), "another");
      draft.final.counters[name] = 1;
      const first = draft.add({ kind: "count", counter: name }, 1, draft.moment(increment.completed), session);
      return [first, draft.add({ kind: "count", counter: name }, 0, draft.moment(first.completed), session)];
    },
  },
  {
    kind: "read-your-writes",
    how: "an element of the session is missing",
    plant: (draft) => {
      const session = draft.session();
      const list = draft.fresh();
      const write = draft.transact([append(list, "x")], undefined, session);
      draft.final.lists[list] = ["x"];
      return [write, draft.transact([read(list, [])], draft.moment(write.completed), session)];
    },
  },
  {
    kind: "monotonic-reads",
    how: "a list shrinks",
    plant: (draft) => {
      const before = draft.one(
        draft.acknowledged(
          ({ result }) => Array.isArray(result) && result.some((step) => longReadOf(step) !== undefined),
        ),
      );
      const step = (before?.result as readonly object[] | undefined)?.map(longReadOf).find((one) => one !== undefined);
      if (before === undefined || step === undefined) return undefined;
      const shorter = step.elements.slice(0, draft.dice(step.elements.length));
      return [draft.transact([read(step.list, shorter)], draft.moment(before.completed), before.session)];
    },
    also: ["read-your-writes", "intermediate-read", "read-skew"],
  },
];

/** A step that read something. */
export function longReadOf(
  step: object,
): { readonly list: string; readonly elements: readonly (string | number)[] } | undefined {
  const { list, elements } = step as { readonly list?: string; readonly elements?: readonly (string | number)[] };
  return list !== undefined && elements !== undefined && elements.length > 0 ? { list, elements } : undefined;
}

export const LEFT_BEHIND: readonly Plant[] = [
  {
    kind: "connection-leak",
    how: "a connection is not given back",
    plant: (draft) => {
      // One that is handed out again is rather told to be shared.
      const last = new Map<unknown, DraftOperation>();
      for (const operation of draft.operations) {
        if (operation.action.kind === "acquire") last.delete(operation.result);
        if (operation.action.kind === "release") last.set(operation.action.connection, operation);
      }
      const release = draft.one([...last.values()]);
      if (release === undefined) return undefined;
      draft.operations.splice(draft.operations.indexOf(release), 1);
      return [];
    },
  },
  {
    kind: "connection-shared",
    how: "a connection is handed out twice",
    plant: (draft) => {
      const first = draft.one(draft.acknowledged(({ action }) => action.kind === "acquire"));
      if (first === undefined) return undefined;
      return [first, draft.add({ kind: "acquire" }, first.result ?? null, first.completed + 1e-5)];
    },
    also: ["connection-leak"],
  },
  {
    kind: "unsettled",
    how: "a call is never answered",
    plant: (draft) => {
      const operation = draft.one(draft.operations.filter(({ action }) => action.kind === "call"));
      if (operation !== undefined) operation.outcome = "pending";
      return operation === undefined ? undefined : [operation];
    },
  },
];
