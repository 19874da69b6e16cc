/**
 * What a history is made of: what was asked, by whom, in which order, and what the caller was told.
 */

/** An element of a list. Unique within its list: that is how a read tells whose appends it saw. */
export type ListElement = string | number;

/** One step of a transaction on lists. `elements` is what a read found; it is absent until the transaction is acknowledged. */
export type ListStep =
  | { readonly do: "append"; readonly list: string; readonly element: ListElement }
  | { readonly do: "read"; readonly list: string; readonly elements?: readonly ListElement[] };

/** What an operation asks of the database. */
export type Action =
  /**
   * Stores an id that no other operation writes: as a row of its own, or, where a register is named, in place of what that
   * register held.
   */
  | { readonly kind: "write"; readonly id: string; readonly register?: string }
  /** Reads a register; a row of its own is the register of the same name. Gives the id, or null where there is none. */
  | { readonly kind: "read"; readonly register: string }
  | { readonly kind: "increment"; readonly counter: string; readonly by: number }
  /** Reads a counter. Gives a number. */
  | { readonly kind: "count"; readonly counter: string }
  | {
      readonly kind: "transfer";
      readonly id: string;
      readonly from: string;
      readonly to: string;
      readonly amount: number;
    }
  /** Reads all balances at once. Gives their sum. */
  | { readonly kind: "sum" }
  /** Appends to and reads lists in one transaction. Gives the steps, the reads with what they found. */
  | { readonly kind: "transaction"; readonly steps: readonly ListStep[] }
  /** Takes a connection. Gives its name, which stays the same for as long as the connection lives. */
  | { readonly kind: "acquire" }
  | { readonly kind: "release"; readonly connection: string }
  /** Anything else: that it settles is all that is checked of it. */
  | { readonly kind: "call"; readonly label: string };

/** What each kind of action gives when it is acknowledged. */
export interface Results {
  /** Nothing. */
  readonly write: null;
  /** The value that was read; null when there was none. */
  readonly read: string | null;
  /** Nothing. */
  readonly increment: null;
  /** The counter's value. */
  readonly count: number;
  /** Nothing. */
  readonly transfer: null;
  /** All balances together. */
  readonly sum: number;
  /** The steps, with what was read. */
  readonly transaction: readonly ListStep[];
  /** Name of the connection. */
  readonly acquire: string;
  /** Nothing. */
  readonly release: null;
  /** Nothing. */
  readonly call: null;
}

/** Name of what a session can do. */
export type ActionKind = Action["kind"];

/** Each kind of action by its name. */
export type Actions = { readonly [K in ActionKind]: Extract<Action, { readonly kind: K }> };

/**
 * What the caller was told. `ok`: it is done; `fail`: nothing of it is kept; `unknown`: it may have been done or not;
 * `pending`: nothing yet, which says as little as `unknown`.
 */
export type Outcome = "ok" | "fail" | "unknown" | "pending";

/** One operation and what became of it. */
export interface HistoryOperation<K extends ActionKind = ActionKind> {
  /** Place among the operations of the history, by invocation; from 0. */
  readonly index: number;
  /** Who asked: calls of one session see their own writes and never go back in time. */
  readonly session: string;
  /** What was asked. */
  readonly action: Actions[K];
  /** What the session was told. */
  readonly outcome: Outcome;
  /** Place of the invocation among all events of the history; from 0. */
  readonly invoked: number;
  /** Place of the answer among all events; undefined while there is none. */
  readonly completed: number | undefined;
  /** When it was invoked, in milliseconds of the history's clock. */
  readonly invokedMs: number;
  /** When it was answered, in milliseconds of the history's clock; undefined while it was not. */
  readonly completedMs: number | undefined;
  /** What an acknowledged operation gave; undefined for all others. */
  readonly result: Results[K] | undefined;
  /** Code and message of the error, where there was one. */
  readonly error: string | undefined;
}

/** What the database held before the first operation. What is left out was empty, null or zero. */
export interface Opening {
  /** Values of registers, by name. */
  readonly registers?: Readonly<Record<string, string>>;
  /** Values of counters, by name. */
  readonly counters?: Readonly<Record<string, number>>;
  /** Balance of every account. Without them sums are only compared with one another. */
  readonly balances?: Readonly<Record<string, number>>;
}

/** What the database holds after the last operation, read from the primary. What is left out is not checked. */
export interface FinalState {
  /** How many rows there are for each id of a `write` without a register. */
  readonly writes?: Readonly<Record<string, number>>;
  /** How many rows there are for each id of a `transfer`. */
  readonly transfers?: Readonly<Record<string, number>>;
  /** Values of registers, by name; null for one that is empty. */
  readonly registers?: Readonly<Record<string, string | null>>;
  /** Values of counters, by name. */
  readonly counters?: Readonly<Record<string, number>>;
  /** Balances of accounts, by name. */
  readonly balances?: Readonly<Record<string, number>>;
  /** Elements of lists, in order, by name. */
  readonly lists?: Readonly<Record<string, readonly ListElement[]>>;
}

/** Whether an operation is of a kind; narrows its action and its result. */
export function isOf<K extends ActionKind>(operation: HistoryOperation, kind: K): operation is HistoryOperation<K> {
  return operation.action.kind === kind;
}

/** Whether nobody can say that the operation was done, nor that it was not. */
export function isOpen(operation: HistoryOperation): boolean {
  return operation.outcome === "unknown" || operation.outcome === "pending";
}

/** An operation in a few words, such as `#12 alice write "a" (ok)`. */
export function describeOperation(operation: HistoryOperation): string {
  return `#${operation.index} ${operation.session} ${describeAction(operation.action)} (${operation.outcome})`;
}

function describeAction(action: Action): string {
  switch (action.kind) {
    case "write":
      return `write "${action.id}"${action.register === undefined ? "" : ` to "${action.register}"`}`;
    case "read":
      return `read "${action.register}"`;
    case "increment":
      return `increment "${action.counter}" by ${action.by}`;
    case "count":
      return `count "${action.counter}"`;
    case "transfer":
      return `transfer "${action.id}": ${action.amount} from "${action.from}" to "${action.to}"`;
    case "transaction":
      return `transaction of ${action.steps.length} steps`;
    case "release":
      return `release "${action.connection}"`;
    case "call":
      return action.label;
    default:
      return action.kind;
  }
}
