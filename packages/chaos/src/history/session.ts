/** A recorder under the name of one session: a method for each kind of operation, each wrapping the call that does it. */
import type { History, RecordOptions } from "./history.ts";
import type { ActionKind, Actions, ListElement, ListStep, Results } from "./operation.ts";

/**
 * Records for one session. Every method passes on the value and the error of the call that it wraps.
 *
 * What a read gives is taken from the call's value: an id or null, a number, or, for transactions, one array of elements for
 * each read step, in their order.
 */
export class HistorySession {
  /** Stands beside each of its operations. */
  readonly name: string;
  readonly #history: History;

  constructor(history: History, name: string) {
    this.#history = history;
    this.name = name;
  }

  /** A row with an id that no other operation writes. */
  write<T>(id: string, call: () => Promise<T>): Promise<T> {
    return this.#record({ kind: "write", id }, call);
  }

  /** The same id in place of what a register held. */
  set<T>(register: string, id: string, call: () => Promise<T>): Promise<T> {
    return this.#record({ kind: "write", id, register }, call);
  }

  /** Notes that `register` is read, and gives what the call gives. */
  read(register: string, call: () => Promise<string | null>): Promise<string | null> {
    return this.#record({ kind: "read", register }, call);
  }

  /** Notes that `counter` grows by `by`, and gives what the call gives. */
  increment<T>(counter: string, by: number, call: () => Promise<T>): Promise<T> {
    return this.#record({ kind: "increment", counter, by }, call);
  }

  /** Notes that `counter` is read, and gives what the call gives. */
  count(counter: string, call: () => Promise<number>): Promise<number> {
    return this.#record({ kind: "count", counter }, call);
  }

  /** Notes that money is moved, and gives what the call gives. */
  transfer<T>(transfer: Omit<Actions["transfer"], "kind">, call: () => Promise<T>): Promise<T> {
    return this.#record({ kind: "transfer", ...transfer }, call);
  }

  /** A read of all balances that gives their sum. */
  sum(call: () => Promise<number>): Promise<number> {
    return this.#record({ kind: "sum" }, call);
  }

  /** A transaction on lists; the call gives what each of its reads found. */
  transaction(
    steps: readonly ListStep[],
    call: () => Promise<readonly (readonly ListElement[])[]>,
  ): Promise<readonly (readonly ListElement[])[]> {
    return this.#record({ kind: "transaction", steps }, call, { result: (found) => withReads(steps, found) });
  }

  /** Takes a connection; `nameOf` tells one from another. */
  acquire<T>(nameOf: (connection: T) => string, call: () => Promise<T>): Promise<T> {
    return this.#record({ kind: "acquire" }, call, { result: nameOf });
  }

  /** Notes that a connection is given back or destroyed, just before that is done. */
  release(connection: string): void {
    this.#history.invoke<"release">(this.name, { kind: "release", connection }).ok(null);
  }

  /** Anything else that has to settle. */
  call<T>(label: string, call: () => Promise<T>): Promise<T> {
    return this.#record({ kind: "call", label }, call);
  }

  #record<K extends ActionKind, T>(
    action: Actions[K],
    call: () => Promise<T>,
    options?: RecordOptions<T, Results[K]>,
  ): Promise<T> {
    return this.#history.record<K, T>(this.name, action, call, options);
  }
}

function withReads(steps: readonly ListStep[], found: readonly (readonly ListElement[])[]): ListStep[] {
  let read = 0;
  return steps.map((step) => (step.do === "append" ? step : { ...step, elements: [...(found[read++] ?? [])] }));
}
