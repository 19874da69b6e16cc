/** Ways to break transactions on lists. Those that make a ring of dependencies do so among transactions of the history where its name stays the same. */
import type { ViolationKind } from "../violation.ts";
import { append, type Draft, type DraftOperation, read } from "./draft.ts";
import { longReadOf, type Plant } from "./plants.ts";

const CYCLES: readonly ViolationKind[] = [
  "dirty-write",
  "circular-information-flow",
  "read-skew",
  "long-fork",
  "write-skew",
];

type Dependency = "ww" | "wr" | "rw";

/** Transactions of which each has to come before the next by a dependency on a list of their own, and the last before the first. */
function ring(draft: Draft, transactions: readonly DraftOperation[], dependencies: readonly Dependency[]): void {
  for (const [at, dependency] of dependencies.entries()) {
    const [from, to] = [transactions[at], transactions[(at + 1) % transactions.length]];
    if (from === undefined || to === undefined) continue;
    const list = draft.fresh();
    draft.extend(from, dependency === "rw" ? read(list, []) : append(list, "first"));
    draft.extend(to, dependency === "wr" ? read(list, ["first"]) : append(list, "second"));
    draft.final.lists[list] = { ww: ["first", "second"], wr: ["first"], rw: ["second"] }[dependency];
  }
}

function ringOf(among: "the history" | "new ones", choose: (draft: Draft) => readonly Dependency[]): Plant["plant"] {
  return (draft) => {
    const dependencies = choose(draft);
    const known = draft.acknowledged(({ action }) => action.kind === "transaction");
    const transactions = dependencies.map(() => {
      if (among === "new ones") return draft.transact([]);
      return known.splice(draft.dice(known.length), 1)[0];
    });
    if (transactions.some((one) => one === undefined)) return undefined;
    const members = transactions.filter((one) => one !== undefined);
    ring(draft, members, dependencies);
    return among === "new ones" ? members : [];
  };
}

function some(draft: Draft, dependencies: readonly Dependency[], min: number): Dependency[] {
  return Array.from({ length: min + draft.dice(4) }, () => draft.one(dependencies) ?? "ww");
}

/** A list of the history that was read, with what was read and where. */
function someRead(
  draft: Draft,
  min: number,
): { operation: DraftOperation; at: number; elements: readonly (string | number)[] } | undefined {
  const places = draft
    .acknowledged(({ action }) => action.kind === "transaction")
    .flatMap((operation) =>
      (operation.result as readonly object[]).map((step, at) => ({
        operation,
        at,
        elements: longReadOf(step)?.elements ?? [],
      })),
    );
  return draft.one(places.filter(({ elements }) => elements.length >= min));
}

/** Changes what one read of the history found. */
function changed(
  min: number,
  change: (elements: readonly (string | number)[], draft: Draft) => readonly (string | number)[],
): Plant["plant"] {
  return (draft) => {
    const found = someRead(draft, min);
    if (found === undefined) return undefined;
    const { operation, at } = found;
    const steps = [...(operation.result as readonly { list: string }[])];
    steps[at] = read(steps[at]?.list ?? "", change(found.elements, draft));
    operation.result = steps as never;
    return [operation];
  };
}

export const LISTS: readonly Plant[] = [
  {
    kind: "unwritten",
    how: "an element that nobody appended is read",
    plant: changed(1, (all, draft) => [...all.slice(0, -1), draft.fresh()]),
    also: ["incompatible-order", "internal", "read-your-writes", "lost-update", ...CYCLES],
  },
  {
    kind: "duplicate-element",
    how: "an element is read twice",
    plant: changed(1, (all) => [...all, all[0] ?? ""]),
    also: [
      "incompatible-order",
      "intermediate-read",
      "internal",
      "read-your-writes",
      "lost-update",
      "monotonic-reads",
      ...CYCLES,
    ],
  },
  {
    kind: "incompatible-order",
    how: "two elements change places",
    plant: changed(2, (all, draft) => {
      const at = draft.dice(all.length - 1);
      return [...all.slice(0, at), all[at + 1] ?? "", all[at] ?? "", ...all.slice(at + 2)];
    }),
    also: ["intermediate-read", "internal", "read-your-writes", "lost-update", ...CYCLES],
  },
  {
    kind: "aborted-read",
    how: "an element of a failed transaction is read",
    plant: (draft) => {
      const list = draft.fresh();
      const writer = draft.transact([append(list, "x")]);
      writer.outcome = "fail";
      return [writer, draft.transact([read(list, ["x"])])];
    },
  },
  {
    kind: "aborted-read",
    how: "a transaction that was seen is told that it failed",
    plant: (draft) => {
      const seen = someRead(draft, 1);
      const element = seen?.elements[0];
      const writer = draft.operations.find(
        ({ action }) =>
          action.kind === "transaction" &&
          action.steps.some((step) => step.do === "append" && step.element === element),
      );
      // What only its own transaction has read is not read any more.
      if (writer === undefined || writer === seen?.operation) return undefined;
      writer.outcome = "fail";
      return [writer];
    },
    also: ["wrong-verdict"],
  },
  {
    kind: "intermediate-read",
    how: "half of a transaction is read",
    plant: (draft) => {
      const list = draft.fresh();
      const writer = draft.transact([append(list, "x"), append(list, "y")]);
      draft.final.lists[list] = ["x", "y"];
      return [writer, draft.transact([read(list, ["x"])])];
    },
    also: ["read-skew", "read-your-writes"],
  },
  {
    kind: "internal",
    how: "a transaction does not see its own append",
    plant: (draft) => {
      const list = draft.fresh();
      draft.final.lists[list] = ["x"];
      return [draft.transact([append(list, "x"), read(list, [])])];
    },
  },
  {
    kind: "lost-update",
    how: "two update what both have read, and the list is read later",
    plant: (draft) => {
      const list = draft.fresh();
      draft.final.lists[list] = ["x", "y"];
      return [draft.transact([read(list, []), append(list, "x")]), draft.transact([read(list, []), append(list, "y")])];
    },
    also: ["read-your-writes", "monotonic-reads"],
  },
  {
    kind: "lost-update",
    how: "a list is updated over an append that was not read",
    plant: (draft) => {
      const found = someRead(draft, 1);
      const list = (found?.operation.result as readonly { list: string }[] | undefined)?.[found?.at ?? 0]?.list ?? "";
      const all = draft.final.lists[list] ?? [];
      if (all.length === 0) return undefined;
      const update = draft.transact([read(list, all.slice(0, -1)), append(list, "late")]);
      draft.final.lists[list] = [...all, "late"];
      return [update];
    },
    also: ["read-your-writes", "monotonic-reads", "intermediate-read", ...CYCLES],
  },
  {
    kind: "dirty-write",
    how: "transactions overwrite each other in a ring",
    plant: ringOf("the history", (draft) => some(draft, ["ww"], 2)),
    also: [...CYCLES],
  },
  {
    kind: "circular-information-flow",
    how: "transactions read from each other in a ring",
    plant: ringOf("the history", (draft) => ["wr", ...some(draft, ["wr", "ww"], 1)]),
    also: [...CYCLES, "read-your-writes"],
  },
  {
    kind: "read-skew",
    how: "one read is of before, among transactions of the history",
    plant: ringOf("the history", (draft) => ["rw", ...some(draft, ["wr", "ww"], 1)]),
    also: [...CYCLES, "read-your-writes"],
  },
  {
    kind: "read-skew",
    how: "one read is of before",
    plant: ringOf("new ones", (draft) => ["rw", ...some(draft, ["wr", "ww"], 1)]),
    also: ["read-your-writes"],
  },
  {
    kind: "long-fork",
    how: "readers see writes in different orders",
    plant: ringOf("new ones", (draft) => Array.from({ length: 2 + draft.dice(3) }, () => ["wr", "rw"] as const).flat()),
    also: ["read-your-writes"],
  },
  {
    kind: "write-skew",
    how: "each overwrites what the next has read",
    plant: ringOf("new ones", (draft) => some(draft, ["rw"], 2)),
    also: ["read-your-writes"],
  },
];
