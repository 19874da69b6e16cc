/** Callers, each one call after the other, by dice of its own; every call is recorded. */
import { setTimeout as delay } from "node:timers/promises";
import { classifyError, type Verdict } from "../history/classify.ts";
import type { History } from "../history/history.ts";
import type { HistorySession } from "../history/session.ts";
import type { ListStep } from "../history/operation.ts";
import { draw } from "../scenario/duration.ts";
import type { Duration, WorkloadCall, WorkloadOptions } from "../scenario/model.ts";
import { dice, type Dice, pick, pickShare } from "./dice.ts";
import { openingBalances } from "./sql.ts";
import type { Subject } from "./subject.ts";

const REGISTERS = 6;
const LISTS = 8;
/** Longest list that a call appends to: long ones make every read slow. */
const LIST_LENGTH = 40;

const DEFAULTS = {
  callers: 8,
  pause: [0, 10] as Duration,
  mix: { insert: 4, transfer: 3, lists: 2, set: 2, get: 4, sum: 1 } as Readonly<Partial<Record<WorkloadCall, number>>>,
};

/** The options with their defaults. */
export function workloadOptions(given: WorkloadOptions = {}): Required<WorkloadOptions> {
  return { ...DEFAULTS, ...given };
}

/** What a caller knows. */
interface Caller {
  readonly name: string;
  readonly random: Dice;
  readonly session: HistorySession;
  /** Numbers its ids. */
  calls: number;
}

export class Workload {
  readonly #subject: Subject;
  readonly #history: History;
  readonly #options: Required<WorkloadOptions>;
  readonly #shares: readonly (readonly [WorkloadCall, number])[];
  readonly #running: Promise<unknown>;
  #lists = 0;
  #stopped = false;

  /** Begins at once. @throws RangeError when the subject can do none of the calls. */
  constructor(subject: Subject, history: History, given: WorkloadOptions, seed: number) {
    this.#subject = subject;
    this.#history = history;
    this.#options = workloadOptions(given);
    this.#shares = (Object.entries(this.#options.mix) as [WorkloadCall, number][]).filter(
      ([call, share]) => share > 0 && subject[call] !== undefined,
    );
    if (this.#shares.length === 0) throw new RangeError(`${subject.name} can do none of the calls of the load`);
    const callers = Array.from({ length: this.#options.callers }, (_, at) => this.#caller(`c${at + 1}`, seed));
    this.#running = Promise.all(callers);
  }

  /** No new calls; resolves when the last one has been answered, which may be never. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #caller(name: string, seed: number): Promise<void> {
    const random = dice(seed, `caller ${name}`);
    const caller: Caller = { name, random, session: this.#history.session(name), calls: 0 };
    while (!this.#stopped) {
      caller.calls += 1;
      // What went wrong stands in the history.
      await this.#call(pickShare(this.#shares, random), caller).catch(() => {});
      // Also when the dice say 0, so that a subject that fails at once does not keep the process from all else.
      await delay(draw(this.#options.pause, random));
    }
  }

  async #call(call: WorkloadCall, caller: Caller): Promise<unknown> {
    const { random, name, session } = caller;
    const subject = this.#subject;
    const id = `${name}-${caller.calls}`;
    switch (call) {
      case "insert":
        return this.#record(name, { kind: "write", id }, async () => subject.insert?.(id, name));
      case "transfer": {
        const accounts = Object.keys(openingBalances);
        const from = pick(accounts, random) ?? "";
        const to =
          pick(
            accounts.filter((one) => one !== from),
            random,
          ) ?? "";
        const transfer = { id, from, to, amount: 1 + Math.floor(random() * 20) };
        return this.#record(name, { kind: "transfer", ...transfer }, async () => subject.transfer?.(transfer, name));
      }
      case "set": {
        const register = `register-${Math.floor(random() * REGISTERS)}`;
        return this.#record(name, { kind: "write", id, register }, async () => subject.set?.(register, id, name));
      }
      case "get": {
        const register = `register-${Math.floor(random() * REGISTERS)}`;
        return session.read(register, async () => (await subject.get?.(register, name)) ?? null);
      }
      case "sum":
        return session.sum(async () => (await subject.sum?.(name)) ?? Number.NaN);
      case "lists": {
        const steps = this.#listSteps(id, random);
        const classify = this.#classify;
        return this.#history.record<"transaction", readonly (readonly (string | number)[])[]>(
          name,
          { kind: "transaction", steps },
          async () => (await subject.lists?.(steps, name)) ?? [],
          { result: (found) => withReads(steps, found), classify },
        );
      }
      default:
        throw new RangeError(`unknown call ${String(call)}`);
    }
  }

  /** Two lists, in the order of their names so that transactions do not wait for each other in a circle. */
  #listSteps(id: string, random: Dice): ListStep[] {
    const batch = Math.floor(this.#lists++ / (LIST_LENGTH * (LISTS / 2)));
    const first = Math.floor(random() * LISTS);
    const second = (first + 1 + Math.floor(random() * (LISTS - 1))) % LISTS;
    return [Math.min(first, second), Math.max(first, second)].flatMap((at): ListStep[] => {
      const list = `list-${batch}-${at}`;
      const append: ListStep = { do: "append", list, element: id };
      return random() < 0.7 ? [append, { do: "read", list }] : [{ do: "read", list }];
    });
  }

  readonly #classify = (error: unknown): Verdict =>
    this.#subject.isUnknown?.(error) === true ? "unknown" : classifyError(error);

  #record(session: string, action: Parameters<History["record"]>[1], call: () => Promise<unknown>): Promise<unknown> {
    return this.#history.record(session, action, call, { result: () => null, classify: this.#classify });
  }
}

function withReads(steps: readonly ListStep[], found: readonly (readonly (string | number)[])[]): ListStep[] {
  let read = 0;
  return steps.map((step) => (step.do === "append" ? step : { ...step, elements: [...(found[read++] ?? [])] }));
}
