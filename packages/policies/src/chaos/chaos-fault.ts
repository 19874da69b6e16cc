/**
 * A fault that is on: which calls it strikes, and how often it has.
 */
import type { Operation, Random } from "@breakwater/core";
import { type ChaosFaultOptions, type ErrorFault, phaseOf } from "./options.ts";

/** A fault that was switched on. */
export interface ChaosFault extends Disposable {
  /** Calls struck so far. */
  readonly hits: number;
  /** Whether it is over: ended, or by the last of its `times`. */
  readonly ended: boolean;
  /** Calls `listener` after each strike, and at the end. @returns what ends that. */
  watch(listener: () => void): () => void;
  /** Ends the fault; calls that were struck keep their fate. */
  off(): void;
}

export class ScopedFault implements ChaosFault {
  readonly options: ChaosFaultOptions;
  readonly #random: Random;
  readonly #end: (fault: ScopedFault) => void;
  readonly #listeners = new Set<() => void>();
  #hits = 0;
  /** Calls that are to be struck and may yet fail by themselves. */
  #claimed = 0;
  #ended = false;

  constructor(options: ChaosFaultOptions, random: Random, end: (fault: ScopedFault) => void) {
    this.options = options;
    this.#random = random;
    this.#end = end;
  }

  get hits(): number {
    return this.#hits;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the call is to be struck; `hit` or `giveBack` follows. */
  claim(operation: Operation<unknown>, pool: string): boolean {
    const { injectionRate = 1, times = Number.POSITIVE_INFINITY } = this.options;
    if (this.#ended || this.#hits + this.#claimed >= times || !this.#inScope(operation, pool)) return false;
    // One throw of the dice for each call in scope: the same seed strikes the same calls.
    if (injectionRate < 1 && this.#random() >= injectionRate) return false;
    this.#claimed += 1;
    return true;
  }

  hit(): void {
    this.#claimed -= 1;
    this.#hits += 1;
    if (this.#hits >= (this.options.times ?? Number.POSITIVE_INFINITY)) this.off();
    else this.#tell();
  }

  giveBack(): void {
    this.#claimed -= 1;
  }

  watch(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  off(): void {
    if (this.#ended) {
      this.#tell();
      return;
    }
    this.#ended = true;
    this.#end(this);
    this.#tell();
  }

  [Symbol.dispose](): void {
    this.off();
  }

  #inScope(operation: Operation<unknown>, pool: string): boolean {
    const { label, access, node, kind, probes = false } = this.options;
    if (operation.purpose === "probe" && !probes) return false;
    if (access !== undefined && operation.access !== access) return false;
    if (kind !== undefined && operation.kind !== kind) return false;
    if (!canStrike(this.options, operation)) return false;
    return names(node, pool) && names(label, operation.label);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Whether the fault can happen to this kind of call. */
function canStrike(options: ChaosFaultOptions, { kind }: Operation<unknown>): boolean {
  if (options.fault === "lost-reply") return kind !== "session";
  if (options.fault !== "error") return true;
  return canFail(phaseOf(options satisfies ErrorFault), kind);
}

/** A session's connection is handed out before anything runs on it. */
function canFail(phase: ReturnType<typeof phaseOf>, kind: Operation<unknown>["kind"]): boolean {
  if (phase === "committing") return kind === "transaction";
  return kind !== "session" || phase !== "running";
}

function names(wanted: string | RegExp | undefined, name: string | undefined): boolean {
  if (wanted === undefined) return true;
  if (name === undefined) return false;
  if (typeof wanted === "string") return wanted === name;
  wanted.lastIndex = 0;
  return wanted.test(name);
}
