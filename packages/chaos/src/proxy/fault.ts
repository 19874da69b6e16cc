/** Faults that strike single statements: which statement, how often, and what then. */
import { integerIn, lineOf, numberIn, oneOf, onlyKnown, refusal } from "../check.ts";
import { defaultLimitMs, within } from "../wait.ts";
import type { ServerError } from "./messages.ts";

/** Which statements a fault strikes. All conditions must hold. */
export interface FaultOptions {
  /**
   * Pattern for, or test of, the text of a statement: of a simple query the whole string (which may hold several statements), of
   * the extended protocol the text that was prepared, each time it is executed. Of very long texts the first 64 KiB are seen.
   */
  readonly to: RegExp | ((text: string) => boolean);
  /** Strikes each n-th matching statement only; from 1. @default 1 */
  readonly every?: number;
  /** Ends the fault after so many strikes; from 1. @default without end */
  readonly times?: number;
  /** Share of the matching statements that are struck, 0 to 1. @default 1 */
  readonly probability?: number;
  /** Source of the dice for `probability`, from 0 up to 1. @default Math.random */
  readonly random?: () => number;
}

export interface DropReplyOptions extends FaultOptions {
  /** Whether the client is cut off when the server has answered, or right after sending (the server still does it). @default "reply" */
  readonly wait?: "reply" | "none";
}

export interface InjectOptions extends FaultOptions {
  /** Five characters, such as `40001`. */
  readonly sqlstate: string;
  /** @default "injected fault" */
  readonly message?: string;
  /** `FATAL` also ends the connection. @default "ERROR" */
  readonly severity?: "ERROR" | "FATAL";
}

/** A fault that was switched on. */
export interface Fault extends Disposable {
  /** Statements struck so far. */
  readonly hits: number;
  /** Resolves when `count` statements have been struck in all. @throws ChaosError ERR_BREAKWATER_CHAOS_TIMEOUT */
  reached(count: number, limitMs?: number): Promise<void>;
  /** Ends the fault; statements that were struck already keep their fate. */
  off(): void;
}

/** What happens to a struck statement. */
export type Strike =
  | { readonly kind: "drop-reply"; readonly wait: "reply" | "none" }
  | { readonly kind: "cut-before" }
  | { readonly kind: "inject"; readonly error: ServerError };

const common = ["to", "every", "times", "probability", "random"];

export class StatementFault implements Fault {
  readonly strike: Strike;
  readonly #options: FaultOptions;
  readonly #ended: (fault: StatementFault) => void;
  #matches = 0;
  #hits = 0;
  #waiting: { count: number; resolve: () => void }[] = [];

  constructor(options: FaultOptions, strike: Strike, ended: (fault: StatementFault) => void) {
    this.#options = options;
    this.strike = strike;
    this.#ended = ended;
  }

  get hits(): number {
    return this.#hits;
  }

  /** Whether this statement is struck; counts it. */
  strikes(text: string): boolean {
    const { to, every = 1, times = Number.POSITIVE_INFINITY, probability = 1, random = Math.random } = this.#options;
    if (!(to instanceof RegExp ? matches(to, text) : to(text))) return false;
    if (++this.#matches % every !== 0) return false;
    if (probability < 1 && random() >= probability) return false;
    this.#hits++;
    if (this.#hits >= times) this.off();
    this.#waiting = this.#waiting.filter((one) => {
      if (one.count <= this.#hits) one.resolve();
      return one.count > this.#hits;
    });
    return true;
  }

  reached(count: number, limitMs: number = defaultLimitMs): Promise<void> {
    integerIn("count", count, 1, Number.MAX_SAFE_INTEGER);
    if (this.#hits >= count) return Promise.resolve();
    const done = new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    return within(`${count} statements to be struck`, done, limitMs, () => `struck: ${this.#hits}`);
  }

  off(): void {
    this.#ended(this);
  }

  [Symbol.dispose](): void {
    this.off();
  }
}

/** @throws RangeError */
export function checkDropReply(options: DropReplyOptions): Strike {
  checkFault("dropReply", options, ["wait"]);
  return { kind: "drop-reply", wait: oneOf("wait", options.wait ?? "reply", ["reply", "none"]) };
}

/** @throws RangeError */
export function checkCutBefore(options: FaultOptions): Strike {
  checkFault("cutBefore", options, []);
  return { kind: "cut-before" };
}

/** @throws RangeError */
export function checkInject(options: InjectOptions): Strike {
  checkFault("inject", options, ["sqlstate", "message", "severity"]);
  const { sqlstate, message = "injected fault" } = options;
  const severity = oneOf("severity", options.severity ?? "ERROR", ["ERROR", "FATAL"]);
  return {
    kind: "inject",
    error: { severity, sqlstate: checkSqlstate(sqlstate), message: lineOf("message", message) },
  };
}

/** @throws RangeError */
export function checkSqlstate(value: unknown): string {
  if (typeof value === "string" && /^[0-9A-Z]{5}$/.test(value)) return value;
  throw refusal("sqlstate", value, "five characters from 0-9 and A-Z");
}

function checkFault(owner: string, options: FaultOptions, more: readonly string[]): void {
  onlyKnown(owner, options, [...common, ...more]);
  const { to, every = 1, times = 1, probability = 1, random } = options;
  if (!(to instanceof RegExp) && typeof to !== "function") throw refusal("to", to, "a RegExp or a function");
  integerIn("every", every, 1, Number.MAX_SAFE_INTEGER);
  integerIn("times", times, 1, Number.MAX_SAFE_INTEGER);
  numberIn("probability", probability, 0, 1);
  if (random !== undefined && typeof random !== "function") throw refusal("random", random, "a function");
}

/** A pattern with the flag g or y remembers where it stopped: every statement is a new text. */
function matches(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(text);
}
