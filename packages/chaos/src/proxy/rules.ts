/** The faults that strike single statements and messages, and who listens to statements. */
import { refusal } from "../check.ts";
import { CountedFault, type Fault, type FaultOptions, matches, type OftenOptions } from "./fault.ts";
import type { MessageType } from "./names.ts";
import type { Direction } from "./pump.ts";
import type { Strike } from "./strike.ts";

/** Where in its life a statement is looked at: when it is prepared, or each time that it is run. */
export type Moment = "parse" | "execute";

interface StatementRule {
  readonly to: FaultOptions["to"];
  readonly strike: Strike;
  readonly moment: Moment;
  readonly fault: CountedFault;
}

interface MessageRule {
  readonly type: MessageType;
  readonly ms: number;
  readonly fault: CountedFault;
}

export class Rules {
  /** Asked in this order; the first that strikes decides. A list is never changed while it is asked. */
  #statements: readonly StatementRule[] = [];
  #messages: readonly MessageRule[] = [];
  readonly #listeners = new Set<(text: string) => void>();
  readonly #detail: () => string;

  /** @param detail what helps to understand why a fault did not strike. */
  constructor(detail: () => string) {
    this.#detail = detail;
  }

  /** Whether anybody wants to hear of statements at all. */
  get watched(): boolean {
    return this.#statements.length > 0 || this.#listeners.size > 0;
  }

  addStatement(options: FaultOptions, strike: Strike): Fault {
    const end = (): void => {
      this.#statements = this.#statements.filter((one) => one !== rule);
    };
    const moment = strike.kind === "cut-after-parse" ? "parse" : "execute";
    const rule = {
      to: options.to,
      strike,
      moment,
      fault: new CountedFault({ ...options }, end, this.#detail),
    } as const;
    this.#statements = [...this.#statements, rule];
    return rule.fault;
  }

  addMessage(options: OftenOptions, what: { readonly type: MessageType; readonly ms: number }): Fault {
    const end = (): void => {
      this.#messages = this.#messages.filter((one) => one !== rule);
    };
    const rule = { ...what, fault: new CountedFault({ ...options }, end, this.#detail) };
    this.#messages = [...this.#messages, rule];
    return rule.fault;
  }

  listen(listener: (text: string) => void): () => void {
    if (typeof listener !== "function") throw refusal("listener", listener, "a function");
    const own = (text: string): void => listener(text);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  decide(text: string, moment: Moment): Strike | undefined {
    if (moment === "execute") for (const listener of this.#listeners) listener(text);
    return this.#statements.find((one) => one.moment === moment && matches(one.to, text) && one.fault.strikes())
      ?.strike;
  }

  /** How long a message is held back, in milliseconds. */
  delayOf(direction: Direction, code: number): number {
    let ms = 0;
    for (const { type, ms: more, fault } of this.#messages) {
      if (type.code === code && type.direction === direction && fault.strikes()) ms += more;
    }
    return ms;
  }

  clear(): void {
    for (const { fault } of [...this.#statements, ...this.#messages]) fault.off();
    this.#listeners.clear();
  }
}
