/** Histories taken apart, changed and put together again: how anomalies are planted. */
import { History } from "../history.ts";
import type {
  Action,
  FinalState,
  HistoryOperation,
  ListElement,
  ListStep,
  Opening,
  Outcome,
  Results,
} from "../operation.ts";
import type { Dice } from "./model.ts";

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;

/** An operation that may be changed. Its places among the events are any numbers; only their order counts. */
export interface DraftOperation {
  session: string;
  action: Action;
  outcome: Outcome;
  invoked: number;
  completed: number;
  result: Results[keyof Results] | undefined;
}

export class Draft {
  readonly dice: Dice;
  readonly operations: DraftOperation[];
  readonly final: { -readonly [K in keyof Required<FinalState>]: Mutable<Required<FinalState>[K]> };
  readonly #opening: Opening;
  #fresh = 0;

  constructor(history: History, finalState: FinalState, dice: Dice) {
    this.dice = dice;
    this.#opening = history.opening;
    this.operations = history.operations.map((one) => ({
      ...structuredClone(one),
      completed: one.completed ?? Infinity,
    }));
    const nothing = { writes: {}, transfers: {}, registers: {}, counters: {}, balances: {}, lists: {} };
    this.final = structuredClone({ ...nothing, ...finalState });
  }

  /** A name, or a number, that the history does not have. */
  fresh(): string {
    return `planted-${this.#fresh++}`;
  }

  /** One of some, by the dice. */
  one<T>(some: readonly T[]): T | undefined {
    return some[this.dice(Math.max(1, some.length))];
  }

  /** Acknowledged operations that fit, as far as there are any. */
  acknowledged(fits: (operation: DraftOperation) => boolean): DraftOperation[] {
    return this.operations.filter((operation) => operation.outcome === "ok" && fits(operation));
  }

  /** Any moment of the history; of two calls with `after`, the later one is later. */
  moment(after: number = -1): number {
    const end = this.operations.length * 2;
    return after + (Math.max(0, end - after) * (this.dice(1_000) + 1)) / 1_001;
  }

  session(): string {
    return `session-${this.dice(5)}`;
  }

  /** Adds an acknowledged operation at a moment. */
  add(
    action: Action,
    result: Results[keyof Results],
    at: number = this.moment(),
    session: string = this.session(),
  ): DraftOperation {
    const operation: DraftOperation = { session, action, outcome: "ok", invoked: at, completed: at + 1e-4, result };
    this.operations.push(operation);
    return operation;
  }

  /** Adds a transaction, the reads of its steps with what they found. */
  transact(steps: readonly ListStep[], at?: number, session?: string): DraftOperation {
    return this.add({ kind: "transaction", steps: asked(steps) }, steps, at, session);
  }

  /** Adds a step to a transaction. */
  extend(operation: DraftOperation, step: ListStep): void {
    if (operation.action.kind !== "transaction") return;
    operation.action = { kind: "transaction", steps: [...operation.action.steps, ...asked([step])] };
    operation.result = [...(operation.result as readonly ListStep[]), step];
  }

  /** Puts the history together. */
  build(): { history: History; finalState: FinalState } {
    const history = new History({ opening: this.#opening, now: () => 0 });
    const answers = new Map<DraftOperation, ReturnType<History["invoke"]>>();
    const events = this.operations.flatMap((operation) => [
      { at: operation.invoked, operation, ends: false },
      { at: operation.completed, operation, ends: true },
    ]);
    for (const { operation, ends } of events.toSorted((a, b) => a.at - b.at)) {
      const answer = answers.get(operation);
      if (!ends) answers.set(operation, history.invoke(operation.session, operation.action));
      else if (operation.outcome === "ok") answer?.ok(operation.result ?? null);
      else if (operation.outcome !== "pending") answer?.[operation.outcome]();
    }
    return { history, finalState: this.final };
  }
}

function asked(steps: readonly ListStep[]): ListStep[] {
  return steps.map((step) => (step.do === "append" ? step : { do: "read", list: step.list }));
}

/** Whether an operation of the history is one that a draft names: by whom and what, which is enough where ids are unique. */
export function isSame(operation: HistoryOperation, planted: DraftOperation): boolean {
  return operation.action === planted.action;
}

export function append(list: string, element: ListElement): ListStep {
  return { do: "append", list, element };
}

export function read(list: string, elements: readonly ListElement[]): ListStep {
  return { do: "read", list, elements };
}
