/** A fault that is on: what it strikes, how often, and who hears of it. */
import { integerIn, numberIn, onlyKnown, refusal } from "../check.ts";
import { defaultLimitMs, within } from "../wait.ts";

/** How often a fault strikes what it could strike. All conditions must hold. */
export interface OftenOptions {
  /** Strikes each n-th match only; from 1. @default 1 */
  readonly every?: number;
  /** Ends the fault after so many strikes; from 1. @default without end */
  readonly times?: number;
  /** Share of the matches that are struck, 0 to 1. @default 1 */
  readonly probability?: number;
  /** Source of the dice for `probability`, from 0 up to 1. @default Math.random */
  readonly random?: () => number;
}

/** Which statements a fault strikes. All conditions must hold. */
export interface FaultOptions extends OftenOptions {
  /**
   * Pattern for, or test of, the text of a statement: of a simple query the whole string (which may hold several statements), of
   * the extended protocol the text that was prepared, each time it is executed. Of very long texts the first 64 KiB are seen.
   */
  readonly to: RegExp | ((text: string) => boolean);
}

/** A fault that was switched on. */
export interface Fault extends Disposable {
  /** How often it has struck: statements, messages, or, for what is done to all that passes, connections. */
  readonly hits: number;
  /** Whether it is over: ended, or by the last of its `times`. */
  readonly ended: boolean;
  /** Resolves when it has struck `count` times in all. @throws ChaosError ERR_BREAKWATER_CHAOS_TIMEOUT */
  reached(count: number, limitMs?: number): Promise<void>;
  /** Calls `listener` after each strike and once at the end. @returns what ends that. */
  watch(listener: () => void): () => void;
  /** Ends the fault; what was struck already keeps its fate. */
  off(): void;
}

const often = ["every", "times", "probability", "random"];

export class CountedFault implements Fault {
  readonly #options: OftenOptions;
  readonly #end: () => void;
  readonly #detail: () => string;
  readonly #listeners = new Set<() => void>();
  #matches = 0;
  #hits = 0;
  #ended = false;

  /**
   * @param end called once, when the fault is over.
   * @param detail what helps to understand why it did not strike.
   */
  constructor(options: OftenOptions, end: () => void, detail: () => string = () => "") {
    this.#options = options;
    this.#end = end;
    this.#detail = detail;
  }

  get hits(): number {
    return this.#hits;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether this match is struck; counts it. */
  strikes(): boolean {
    if (this.#ended) return false;
    const { every = 1, times = Number.POSITIVE_INFINITY, probability = 1, random = Math.random } = this.#options;
    if (++this.#matches % every !== 0) return false;
    if (probability < 1 && random() >= probability) return false;
    this.#hits++;
    if (this.#hits >= times) this.off();
    else this.#tell();
    return true;
  }

  async reached(count: number, limitMs: number = defaultLimitMs): Promise<void> {
    integerIn("count", count, 1, Number.MAX_SAFE_INTEGER);
    if (this.#hits >= count) return;
    let stop: (() => void) | undefined;
    const done = new Promise<void>((resolve) => {
      stop = this.watch(() => {
        if (this.#hits >= count) resolve();
      });
    });
    try {
      const detail = (): string => `struck: ${this.#hits}${this.#detail()}`;
      await within(`${count} strikes of the fault`, done, limitMs, detail);
    } finally {
      stop?.();
    }
  }

  watch(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  off(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#end();
    this.#tell();
  }

  [Symbol.dispose](): void {
    this.off();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** @throws RangeError */
export function checkOften(owner: string, options: OftenOptions, more: readonly string[]): void {
  onlyKnown(owner, options, [...more, ...often]);
  const { every = 1, times = 1, probability = 1, random } = options;
  integerIn("every", every, 1, Number.MAX_SAFE_INTEGER);
  integerIn("times", times, 1, Number.MAX_SAFE_INTEGER);
  numberIn("probability", probability, 0, 1);
  if (random !== undefined && typeof random !== "function") throw refusal("random", random, "a function");
}

/** @throws RangeError */
export function checkFault(owner: string, options: FaultOptions, more: readonly string[] = []): void {
  checkOften(owner, options, ["to", ...more]);
  const { to } = options;
  if (!(to instanceof RegExp) && typeof to !== "function") throw refusal("to", to, "a RegExp or a function");
}

/** A pattern with the flag g or y remembers where it stopped: every statement is a new text. */
export function matches(to: FaultOptions["to"], text: string): boolean {
  if (!(to instanceof RegExp)) return to(text);
  to.lastIndex = 0;
  return to.test(text);
}
