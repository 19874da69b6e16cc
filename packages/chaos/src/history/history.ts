/**
 * A record of operations: what was asked, in which order, and what callers were told. Recording judges nothing; that is
 * what the checkers are for, which take a history that has ended.
 */
import { integerIn, onlyKnown } from "../check.ts";
import { classifyError, describeError, type Verdict } from "./classify.ts";
import type { ActionKind, Actions, HistoryOperation, Opening, Outcome, Results } from "./operation.ts";
import { HistorySession } from "./session.ts";

/** What a history begins with, and how much of it is kept. */
export interface HistoryOptions {
  /** What the database held before the first operation. @default everything empty */
  readonly opening?: Opening;
  /**
   * Operations that are kept; what comes later is counted in `dropped` and not recorded. An operation takes about 300 bytes
   * besides what it read. 1 to 10,000,000. @default 200_000
   */
  readonly maxOperations?: number;
  /** The time in milliseconds; only shown, never compared. @default performance.now */
  readonly now?: () => number;
}

/** Takes the answer to one operation. The first answer counts; later ones are ignored. */
export interface Answer<R> {
  /** It was acknowledged, with this result. */
  ok(result: R): void;
  /** Nothing of the operation is kept. */
  fail(error?: unknown): void;
  /** The operation may have been done or not. */
  unknown(error?: unknown): void;
}

/** How one call is recorded. */
export interface RecordOptions<T, R> {
  /** What of the call's value belongs into the history. @default the value itself, where the action gives one */
  readonly result?: (value: T) => R;
  /** What an error says. @default `unknown` for ERR_BREAKWATER_OUTCOME_UNKNOWN, else `fail` */
  readonly classify?: (error: unknown) => Verdict;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Actions whose value is no part of the history. */
const GIVES_NOTHING: ReadonlySet<ActionKind> = new Set(["write", "increment", "transfer", "release", "call"]);

/** What sessions have asked of a database and what they were told, in the order in which it happened. */
export class History {
  /** What the database held before the first operation. */
  readonly opening: Opening;
  readonly #operations: Mutable<HistoryOperation>[] = [];
  readonly #maxOperations: number;
  readonly #now: () => number;
  #events = 0;
  #dropped = 0;

  /** @throws RangeError when an option is unknown or out of range. */
  constructor(options: HistoryOptions = {}) {
    onlyKnown("History", options, ["opening", "maxOperations", "now"]);
    this.opening = options.opening ?? {};
    this.#maxOperations = integerIn("maxOperations", options.maxOperations ?? 200_000, 1, 10_000_000);
    this.#now = options.now ?? (() => performance.now());
  }

  /** All operations, in the order of their invocation. Those still pending change when they are answered. */
  get operations(): readonly HistoryOperation[] {
    return this.#operations;
  }

  /** Operations that came after the limit. A history that dropped any proves nothing: `check` says so. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds operations that were dropped elsewhere, before this history was written down. */
  noteDropped(operations: number): void {
    this.#dropped += operations;
  }

  /** How many operations had each outcome. */
  counts(): Record<Outcome, number> {
    const counts: Record<Outcome, number> = { ok: 0, fail: 0, unknown: 0, pending: 0 };
    for (const { outcome } of this.#operations) counts[outcome] += 1;
    return counts;
  }

  /** The same recorder under the name of one session, with a method for each kind of operation. */
  session(name: string): HistorySession {
    return new HistorySession(this, name);
  }

  /** Notes that an operation begins. @returns what takes its answer. */
  invoke<K extends ActionKind>(session: string, action: Actions[K], atMs: number = this.#now()): Answer<Results[K]> {
    if (this.#operations.length >= this.#maxOperations) {
      this.#dropped += 1;
      return { ok: () => {}, fail: () => {}, unknown: () => {} };
    }
    const operation: Mutable<HistoryOperation> = {
      index: this.#operations.length,
      session,
      action,
      outcome: "pending",
      invoked: this.#events++,
      completed: undefined,
      invokedMs: atMs,
      completedMs: undefined,
      result: undefined,
      error: undefined,
    };
    this.#operations.push(operation);
    return {
      ok: (result) => this.#answer(operation, "ok", result, undefined),
      fail: (error) => this.#answer(operation, "fail", undefined, error),
      unknown: (error) => this.#answer(operation, "unknown", undefined, error),
    };
  }

  /**
   * Runs a call and notes what its caller is told. Value and error reach the caller as they are.
   *
   * @throws what the call rejects with.
   */
  async record<K extends ActionKind, T>(
    session: string,
    action: Actions[K],
    call: () => Promise<T>,
    options: RecordOptions<T, Results[K]> = {},
  ): Promise<T> {
    const { classify = classifyError, result } = options;
    const answer = this.invoke(session, action);
    let value: T;
    try {
      value = await call();
    } catch (error) {
      answer[classify(error)](error);
      throw error;
    }
    const given = result === undefined ? (GIVES_NOTHING.has(action.kind) ? null : value) : result(value);
    answer.ok(given as Results[K]);
    return value;
  }

  #answer(operation: Mutable<HistoryOperation>, outcome: Outcome, result: unknown, error: unknown): void {
    if (operation.outcome !== "pending") return;
    operation.outcome = outcome;
    operation.completed = this.#events++;
    operation.completedMs = this.#now();
    operation.result = result as HistoryOperation["result"];
    operation.error = error === undefined ? undefined : describeError(error);
  }
}
