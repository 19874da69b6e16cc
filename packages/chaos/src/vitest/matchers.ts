/** `expect(history).toBeExactlyOnce(finalState)` and its kind: one matcher for each promise that a history can break. */
import { expect } from "vitest";
import { check, type CheckOptions } from "../history/check.ts";
import { connectionLeaks, unsettledCalls } from "../history/checkers/connections.ts";
import { bankSum, counterBounds } from "../history/checkers/counters.ts";
import { exactlyOnce } from "../history/checkers/exactly-once.ts";
import { registerReads } from "../history/checkers/registers.ts";
import { monotonicReads, readYourWrites } from "../history/checkers/sessions.ts";
import { History } from "../history/history.ts";
import { listCycles } from "../history/lists/cycles.ts";
import { listReads } from "../history/lists/reads.ts";
import type { FinalState } from "../history/operation.ts";

/** Violations that a message shows; a broken run may have thousands. */
const MAX_SHOWN = 10;

interface Judgement {
  readonly pass: boolean;
  readonly message: () => string;
}

/** What `expect(history)` has besides. */
export interface HistoryMatchers<R = unknown> {
  /**
   * Every acknowledged effect is there exactly once, one of unknown outcome at most once, a failed one not at all, and numbers add
   * up. Fails when the final state leaves out an effect that the history has.
   */
  toBeExactlyOnce(finalState: FinalState): R;
  /** Sessions see what they wrote, and never go back in time. */
  toKeepSessions(finalState?: FinalState): R;
  /** Transactions on lists stand in an order, as far as their isolation promises; see `check`. */
  toBeIsolated(options?: Omit<CheckOptions, "checkers">): R;
  /** Every call was answered and every connection given back. */
  toLeaveNothingBehind(): R;
  /** No checker finds anything. */
  toPassAllChecks(options?: CheckOptions): R;
}

declare module "vitest" {
  // oxlint-disable-next-line typescript/no-empty-object-type, eslint/no-unused-vars -- must be declared as Vitest has it
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> extends HistoryMatchers<R> {}
}

/** The matchers, for an `expect` of one's own; importing this module adds them to Vitest's. */
export const historyMatchers: {
  readonly [K in keyof HistoryMatchers]: (received: unknown, ...given: Parameters<HistoryMatchers[K]>) => Judgement;
} = {
  toBeExactlyOnce: (received, finalState: FinalState = {}) =>
    judge(received, { finalState, checkers: [exactlyOnce, counterBounds, bankSum, registerReads] }, true),
  toKeepSessions: (received, finalState: FinalState = {}) =>
    judge(received, { finalState, checkers: [readYourWrites, monotonicReads] }),
  toBeIsolated: (received, options: CheckOptions = {}) =>
    judge(received, { ...options, checkers: [listReads, listCycles] }),
  toLeaveNothingBehind: (received) => judge(received, { checkers: [connectionLeaks, unsettledCalls] }),
  toPassAllChecks: (received, options: CheckOptions = {}) => judge(received, options),
};

expect.extend(historyMatchers);

function judge(received: unknown, options: CheckOptions, isWhole = false): Judgement {
  if (!(received instanceof History)) throw new TypeError("expect(…): this matcher is for a History");
  const { passed, violations, operations, notChecked } = check(received, options);
  const missing = isWhole
    ? notChecked.map((part) => `the final state has no ${part}, so these effects were not checked`)
    : [];
  const { ok, fail, unknown, pending } = operations;
  const counts = `${ok} ok, ${fail} failed, ${unknown} unknown, ${pending} pending`;
  const shown = [...missing, ...violations.slice(0, MAX_SHOWN).map(({ kind, message }) => `${kind}: ${message}`)];
  const more = violations.length > MAX_SHOWN ? [`and ${violations.length - MAX_SHOWN} more`] : [];
  const pass = passed && missing.length === 0;
  const verdict = pass ? "broke no promise, and should have" : "broke what it promised";
  return { pass, message: () => [`the history (${counts}) ${verdict}`, ...shown, ...more].join("\n  ") };
}
