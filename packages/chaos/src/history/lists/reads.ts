/**
 * What single reads of lists give away, and reads of one list held against each other.
 *
 * Names and meaning as in Elle's list-append analysis (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental
 * Observations", VLDB 2020), after Adya's G1a and G1b and the P4 of Berenson et al.
 */
import type { History } from "../history.ts";
import type { FinalState, ListElement } from "../operation.ts";
import { type Violation, violation } from "../violation.ts";
import { indexLists, type ListHistory, type ListRead, type Transaction } from "./list-index.ts";

/**
 * Finds aborted and intermediate reads, elements that nobody appended, duplicates, reads that leave out the transaction's own
 * appends, reads of one list that cannot both be its past, and updates made over an update that was not seen.
 *
 * Proves each from what was read. Cannot see anything of a list that nobody read: read every list now and then, and in the end.
 */
export function listReads(history: History, finalState: FinalState = {}): Violation[] {
  const violations: Violation[] = [];
  for (const [name, list] of indexLists(history, finalState).lists) {
    for (const read of list.reads) violations.push(...ofOneRead(name, list, read));
    violations.push(...incompatible(name, list), ...lostUpdates(name, list));
  }
  return violations;
}

function ofOneRead(name: string, list: ListHistory, { operation, elements, own }: ListRead): Violation[] {
  const violations: Violation[] = [];
  const shown = `list "${name}" was read`;
  for (const element of elements) {
    const append = list.appends.get(element);
    if (append === undefined) {
      violations.push(violation("unwritten", `${shown} with ${say(element)}, which nobody appended`, [operation]));
    } else if (append.operation.outcome === "fail") {
      const message = `${shown} with ${say(element)}, whose transaction was reported as failed (G1a)`;
      violations.push(violation("aborted-read", message, [operation, append.operation]));
    }
  }
  const last = elements.at(-1);
  const append = last === undefined ? undefined : list.appends.get(last);
  if (append?.intermediate === true && append.operation !== operation) {
    const message = `${shown} up to ${say(last)}, after which the same transaction appended more (G1b)`;
    violations.push(violation("intermediate-read", message, [operation, append.operation]));
  }
  if (new Set(elements).size < elements.length) {
    const twice = elements.filter((element, at) => elements.indexOf(element) !== at);
    violations.push(
      violation("duplicate-element", `${shown} with ${twice.map(say).join(", ")} more than once`, [operation]),
    );
  }
  const tail = elements.slice(Math.max(0, elements.length - own.length));
  if (own.some((element, at) => element !== tail[at])) {
    const message = `${shown} without what the same transaction had appended at its end`;
    violations.push(violation("internal", message, [operation]));
  }
  return violations;
}

/** A read that is not the beginning of the longest one: no order of the appends explains both. */
function incompatible(name: string, list: ListHistory): Violation[] {
  const longest = list.reads.find(({ elements }) => elements === list.order)?.operation;
  return list.reads
    .filter(({ elements }) => elements.some((element, at) => element !== list.order[at]))
    .map(({ operation }) => {
      const others = longest === undefined || longest === operation ? [] : [longest];
      const message = `list "${name}" was read with elements in another order than ${longest ? "elsewhere" : "in the end"}`;
      return violation("incompatible-order", message, [operation, ...others]);
    });
}

/** Two transactions read the same version, and both appended to it: one of them did not know of the other (P4). */
function lostUpdates(name: string, list: ListHistory): Violation[] {
  const violations: Violation[] = [];
  /** Those whose append nobody has seen yet, by the length of what they had read. */
  const unseen = new Map<number, Transaction>();
  const updates = updatesOf(name, list);
  for (const [operation, { read, element }] of updates) {
    const next = list.order[read];
    const other = next === undefined ? unseen.get(read) : list.appends.get(next)?.operation;
    if (next === undefined) unseen.set(read, operation);
    if (other === undefined || other === operation) continue;
    // Not seen although the list has grown: it was lost to the other update of the same version, or nobody can say to what.
    const isGone = next !== undefined && !list.positions.has(element);
    if (isGone && updates.get(other)?.read !== read) continue;
    const message = `list "${name}" was read with ${read} elements and appended to, over an append in between`;
    violations.push(violation("lost-update", message, [operation, other]));
  }
  return violations;
}

interface Update {
  /** How many elements had been read. */
  readonly read: number;
  /** The first that was appended then. */
  readonly element: ListElement;
}

/** Who appended to a list after reading it. */
function updatesOf(name: string, { reads }: ListHistory): ReadonlyMap<Transaction, Update> {
  const updates = new Map<Transaction, Update>();
  for (const { operation, elements, own } of reads) {
    // Only the first read before an append of its own says which version was updated.
    if (own.length > 0 || updates.has(operation)) continue;
    const first = operation.action.steps.find((step) => step.do === "append" && step.list === name);
    if (first?.do === "append") updates.set(operation, { read: elements.length, element: first.element });
  }
  return updates;
}

function say(element: ListElement | undefined): string {
  return JSON.stringify(element);
}
