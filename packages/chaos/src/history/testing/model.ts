/**
 * Histories of a database that does everything right: one store, transactions at one moment each, callers at random, answers
 * that get lost, reads from the past where they are allowed. What a checker finds in them is a false alarm.
 */
import { History } from "../history.ts";
import {
  type Action,
  type FinalState,
  type HistoryOperation,
  type ListElement,
  type ListStep,
  type Opening,
  type Results,
} from "../operation.ts";

/** Gives numbers from 0 up to, and not including, its argument. */
export type Dice = (sides: number) => number;

/** The same seed gives the same numbers (mulberry32). */
export function diceOf(seed: number): Dice {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

/** Accounts, registers, counters and lists that are used at a time. */
const THINGS = 3;
const OPENING: Opening = {
  registers: { r0: "before" },
  counters: { c0: 5 },
  balances: { a0: 100, a1: 100, a2: 100 },
};

/** What the store holds at one moment. */
interface State {
  readonly registers: ReadonlyMap<string, string>;
  readonly counters: ReadonlyMap<string, number>;
  readonly balances: ReadonlyMap<string, number>;
  readonly lists: ReadonlyMap<string, readonly ListElement[]>;
}

interface Running {
  readonly operation: HistoryOperation;
  readonly answer: ReturnType<History["invoke"]>;
  /** The oldest state that its reads may show. */
  readonly floor: number;
  effect: number | undefined;
  result: Results[keyof Results];
  /** What an acquire has been given. */
  connection?: string;
}

export interface ModelOptions {
  readonly operations: number;
  /** Only transactions on lists. @default false */
  readonly onlyLists?: boolean;
}

/** A history without any violation, and the state that it ends in. */
export function cleanHistory(seed: number, options: ModelOptions): { history: History; finalState: FinalState } {
  return new Model(diceOf(seed), options).run();
}

class Model {
  readonly #dice: Dice;
  readonly #options: ModelOptions;
  readonly #history = new History({ opening: OPENING, now: () => 0 });
  readonly #states: State[];
  readonly #floors = new Map<string, number>();
  readonly #writes: Record<string, number> = {};
  readonly #transfers: Record<string, number> = {};
  readonly #idle: string[] = Array.from({ length: 8 }, (_, at) => `connection-${at}`);
  readonly #held: { readonly connection: string; readonly session: string }[] = [];
  #running: Running[] = [];
  #late: Running[] = [];

  constructor(dice: Dice, options: ModelOptions) {
    this.#dice = dice;
    this.#options = options;
    this.#states = [
      {
        registers: new Map(Object.entries(OPENING.registers ?? {})),
        counters: new Map(Object.entries(OPENING.counters ?? {})),
        balances: new Map(Object.entries(OPENING.balances ?? {})),
        lists: new Map(),
      },
    ];
  }

  run(): { history: History; finalState: FinalState } {
    let left = this.#options.operations;
    while (left > 0 || this.#running.length > 0) {
      const choice = this.#dice(10);
      if (left > 0 && choice < 4 && this.#running.length < 8) {
        this.#begin(left--);
      } else if (choice < 8) {
        this.#step();
      } else if (this.#late.length > 0) {
        // The caller was told that nobody knows; only now it is done, or never.
        const [late] = this.#late.splice(this.#dice(this.#late.length), 1);
        if (late !== undefined && this.#dice(2) === 0) this.#apply(late);
      }
    }
    for (const { connection, session } of this.#held) this.#release(connection, session);
    return { history: this.#history, finalState: this.#finalState() };
  }

  #finalState(): FinalState {
    const state = this.#states.at(-1)!;
    return {
      writes: this.#writes,
      transfers: this.#transfers,
      registers: Object.fromEntries(state.registers),
      counters: Object.fromEntries(state.counters),
      balances: Object.fromEntries(state.balances),
      lists: Object.fromEntries(state.lists),
    };
  }

  #begin(number: number): void {
    const session = `session-${this.#dice(5)}`;
    const held = this.#held.findIndex((one) => one.session === session);
    if (held !== -1 && this.#dice(4) === 0) {
      for (const { connection } of this.#held.splice(held, 1)) {
        this.#release(connection, session);
        this.#idle.push(connection);
      }
      return;
    }
    const answer = this.#history.invoke(session, this.#action(`${number}`));
    const operation = this.#history.operations.at(-1)!;
    const floor = this.#floors.get(session) ?? 0;
    this.#running.push({ operation, answer, floor, effect: undefined, result: null });
  }

  #release(connection: string, session: string): void {
    this.#history.invoke<"release">(session, { kind: "release", connection }).ok(null);
  }

  #action(id: string): Action {
    const at = this.#dice(THINGS);
    const kind = this.#options.onlyLists === true ? 0 : this.#dice(14);
    if (kind < 5) return { kind: "transaction", steps: this.#listSteps(Number(id)) };
    if (kind === 5) return { kind: "write", id: `w${id}` };
    if (kind === 6) return { kind: "write", id: `w${id}`, register: `r${at}` };
    if (kind === 7) return { kind: "read", register: `r${at}` };
    if (kind === 8)
      return { kind: "increment", counter: `c${at}`, by: at === 2 ? 1 - this.#dice(3) : 1 + this.#dice(3) };
    if (kind === 9) return { kind: "count", counter: `c${at}` };
    if (kind === 10) {
      return { kind: "transfer", id: `t${id}`, from: `a${at}`, to: `a${(at + 1) % THINGS}`, amount: 1 + this.#dice(9) };
    }
    if (kind === 11) return { kind: "sum" };
    return this.#idle.length > 0 && kind === 12 ? { kind: "acquire" } : { kind: "call", label: "other" };
  }

  #listSteps(number: number): ListStep[] {
    // New lists take the place of old ones, so that none grows without end.
    const list = (): string => `l${Math.floor(number / 40) * THINGS + this.#dice(THINGS)}`;
    return Array.from({ length: 1 + this.#dice(4) }, (_, at): ListStep =>
      this.#dice(2) === 0 ? { do: "read", list: list() } : { do: "append", list: list(), element: number * 10 + at },
    );
  }

  #step(): void {
    const at = this.#dice(Math.max(1, this.#running.length));
    const running = this.#running[at];
    if (running === undefined) return;
    const fate = this.#dice(20);
    if (running.effect === undefined && fate > 1) return this.#apply(running);
    this.#running.splice(at, 1);
    const isDone = running.effect !== undefined;
    if (isDone && fate > 1) {
      const { session } = running.operation;
      running.answer.ok(running.result);
      if (running.connection !== undefined) this.#held.push({ connection: running.connection, session });
      this.#floors.set(session, Math.max(this.#floors.get(session) ?? 0, running.effect ?? 0));
    } else if (!isDone && fate === 0) {
      running.answer.fail(new Error("refused"));
    } else {
      running.answer.unknown(new Error("nobody knows"));
      if (running.connection !== undefined) this.#idle.push(running.connection);
      if (!isDone && running.operation.action.kind !== "acquire") this.#late.push(running);
    }
  }

  #apply(running: Running): void {
    const { action } = running.operation;
    const now = this.#states.length - 1;
    const readsOnly =
      action.kind === "transaction"
        ? action.steps.every((step) => step.do === "read")
        : ["read", "count", "sum"].includes(action.kind);
    // A replica may lag behind, as long as the session does not see it.
    const seen = readsOnly ? running.floor + this.#dice(now - running.floor + 1) : now;
    const before = this.#states[seen]!;
    running.effect = seen;
    if (action.kind === "acquire") {
      running.result = running.connection = this.#idle.pop() ?? `connection-${running.operation.index + 100}`;
    } else if (action.kind === "read") {
      running.result = before.registers.get(action.register) ?? null;
    } else if (action.kind === "count") {
      running.result = before.counters.get(action.counter) ?? 0;
    } else if (action.kind === "sum") {
      running.result = [...before.balances.values()].reduce((sum, balance) => sum + balance, 0);
    } else {
      const after = this.#write(running, before);
      if (!readsOnly) running.effect = this.#states.push(after) - 1;
    }
  }

  #write(running: Running, before: State): State {
    const { action } = running.operation;
    if (action.kind === "write") {
      if (action.register !== undefined) {
        return { ...before, registers: new Map(before.registers).set(action.register, action.id) };
      }
      this.#writes[action.id] = 1;
    } else if (action.kind === "increment") {
      const value = (before.counters.get(action.counter) ?? 0) + action.by;
      return { ...before, counters: new Map(before.counters).set(action.counter, value) };
    } else if (action.kind === "transfer") {
      this.#transfers[action.id] = 1;
      const balances = new Map(before.balances);
      balances.set(action.from, (balances.get(action.from) ?? 0) - action.amount);
      balances.set(action.to, (balances.get(action.to) ?? 0) + action.amount);
      return { ...before, balances };
    } else if (action.kind === "transaction") {
      const lists = new Map(before.lists);
      running.result = action.steps.map((step) => {
        const elements = lists.get(step.list) ?? [];
        if (step.do === "read") return { ...step, elements };
        lists.set(step.list, [...elements, step.element]);
        return step;
      });
      return { ...before, lists };
    }
    return before;
  }
}
