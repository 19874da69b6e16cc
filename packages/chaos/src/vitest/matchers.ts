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
  // oxlint-disable-next-line typescript/no-empty-object-type, typescript/no-explicit-any -- must be declared as Vitest has it
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = any> extends HistoryMatchers<R> {}
}
