/**
 * Lists, looked at from all transactions: who appended each element, who read what, and in which order the elements stand.
 *
 * The order of a list's versions is the longest read of it, or its final state: every shorter read should be the beginning of that.
 */
import type { History } from "../history.ts";
import { type FinalState, type HistoryOperation, isOf, type ListElement, type ListStep } from "../operation.ts";

export type Transaction = HistoryOperation<"transaction">;

export interface Append {
  readonly operation: Transaction;
  /** Whether the same transaction appends to the same list again: then nobody else should see this as the last element. */
  readonly intermediate: boolean;
}

/** What one transaction read of a list, and what it had appended to that list before. */
export interface ListRead {
  readonly operation: Transaction;
  readonly list: string;
  readonly elements: readonly ListElement[];
  readonly own: readonly ListElement[];
}

export interface ListHistory {
  readonly appends: Map<ListElement, Append>;
  readonly reads: ListRead[];
  /** The longest read. */
  order: readonly ListElement[];
  /** Place of each element in `order`. */
  positions: Map<ListElement, number>;
  /** Acknowledged appends that nobody has seen, where nobody says how the list ended: they come after all of `order`. */
  unseen: ReadonlySet<Transaction>;
}

export interface ListIndex {
  readonly lists: Map<string, ListHistory>;
  /** Transactions that are known to have been committed: acknowledged, or seen. */
  readonly committed: ReadonlySet<Transaction>;
}

/**
 * Indexes the acknowledged reads and all appends.
 *
 * @throws RangeError when two operations append the same element to one list: a read could not tell whose it is.
 */
export function indexLists(history: History, finalState: FinalState = {}): ListIndex {
  const lists = new Map<string, ListHistory>();
  const committed = new Set<Transaction>();
  const of = (name: string): ListHistory => {
    let list = lists.get(name);
    if (list === undefined)
      lists.set(name, (list = { appends: new Map(), reads: [], order: [], positions: new Map(), unseen: new Set() }));
    return list;
  };
  for (const [name, elements] of Object.entries(finalState.lists ?? {})) of(name).order = elements;
  for (const operation of history.operations) {
    if (!isOf(operation, "transaction")) continue;
    if (operation.outcome === "ok") committed.add(operation);
    indexAppends(operation, of);
    if (operation.outcome === "ok") indexReads(operation, of);
  }
  for (const [name, list] of lists) {
    list.positions = new Map(list.order.map((element, at) => [element, at]));
    if (finalState.lists?.[name] === undefined) list.unseen = unseenOf(list);
    for (const element of list.order) {
      const writer = list.appends.get(element)?.operation;
      if (writer !== undefined && writer.outcome !== "fail") committed.add(writer);
    }
  }
  return { lists, committed };
}

function unseenOf({ appends, reads, order, positions }: ListHistory): ReadonlySet<Transaction> {
  const unseen = new Set<Transaction>();
  // Who had read an older version may have been lost, rather than come later.
  const behind = new Set(reads.filter(({ elements }) => elements.length < order.length).map((read) => read.operation));
  for (const [element, { operation }] of appends) {
    if (operation.outcome === "ok" && !positions.has(element) && !behind.has(operation)) unseen.add(operation);
  }
  return unseen;
}

function indexAppends(operation: Transaction, of: (name: string) => ListHistory): void {
  const last = new Map<string, ListElement>();
  for (const step of operation.action.steps) if (step.do === "append") last.set(step.list, step.element);
  for (const step of operation.action.steps) {
    if (step.do !== "append") continue;
    const { appends } = of(step.list);
    if (appends.has(step.element)) {
      throw new RangeError(`history: ${JSON.stringify(step.element)} is appended to list "${step.list}" twice`);
    }
    appends.set(step.element, { operation, intermediate: last.get(step.list) !== step.element });
  }
}

function indexReads(operation: Transaction, of: (name: string) => ListHistory): void {
  const own = new Map<string, ListElement[]>();
  for (const step of stepsOf(operation)) {
    const before = own.get(step.list) ?? [];
    if (step.do === "append") {
      own.set(step.list, [...before, step.element]);
    } else if (step.elements !== undefined) {
      const list = of(step.list);
      list.reads.push({ operation, list: step.list, elements: step.elements, own: before });
      if (step.elements.length > list.order.length) list.order = step.elements;
    }
  }
}

/** The steps with what their reads found, where the transaction was acknowledged. */
function stepsOf({ result, action }: Transaction): readonly ListStep[] {
  return result ?? action.steps;
}
