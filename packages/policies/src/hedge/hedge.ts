/**
 * Sends a read that takes unusually long a second time, to another replica, and answers with whichever is first.
 *
 * After J. Dean and L. A. Barroso, "The Tail at Scale" (Communications of the ACM 56 (2), 2013). Stands outside `retry` and
 * the router, which keeps the two goes on different nodes; without a router in the stack it does nothing.
 */
import {
  abortReason,
  adjustable,
  type Next,
  failureOf,
  type Operation,
  type Placement,
  type Policy,
  type PolicyControl,
  type PolicyPart,
  type Pool,
  type QueryOperation,
  statefulPolicy,
} from "@breakwater/core";
import { type AdjustableBudget, type RetryBudget, retryBudget } from "../budget/index.ts";
import "./events.ts";
import type { Go } from "./go.ts";
import { Kinds } from "./kinds.ts";
import { ADJUSTABLE, type CheckedHedgeOptions, checkHedgeOptions, type HedgeOptions } from "./options.ts";
import { HedgedRead, type Sender, type SlowRead } from "./read.ts";

const PLACEMENT: Placement = {
  outside: { router: "both goes would be sent to one node" },
  inside: {
    coalesce: "the second go would share the answer of the first",
    fallback: "what stands in for a failed go would win over the other's answer",
  },
};

/** The share of the reads that may be sent twice, and how many of a few. */
const BUDGET = { ratio: 0.05, minPerWindow: 5 };

/**
 * Makes the policy that hedges reads.
 * @throws OptionError when an option is unknown or out of range.
 */
export function hedge(options: HedgeOptions = {}): Policy {
  const checked = checkHedgeOptions(options);
  return statefulPolicy("hedge", (inner) => new Hedge(checked, inner), PLACEMENT);
}

class Hedge implements PolicyPart, Sender {
  readonly control: PolicyControl;
  #options: CheckedHedgeOptions;
  readonly #pool: Pool;
  readonly #own: AdjustableBudget;
  readonly #retries: boolean;
  readonly #kinds: Kinds;
  readonly #runningOut = new Set<Go>();
  #closed = false;
  #reads = 0;
  #sent = 0;
  #won = 0;
  #lost = 0;
  #cancelled = 0;
  #overBudget = 0;

  constructor(options: CheckedHedgeOptions, pool: Pool) {
    this.#options = options;
    this.#pool = pool;
    this.#own = retryBudget({ ...BUDGET, clock: options.clock });
    this.#retries = pool.layers.some(({ name }) => name === "retry");
    this.#kinds = new Kinds(options.clock);
    this.control = adjustable({
      owner: "hedge",
      options,
      names: ADJUSTABLE,
      check: checkHedgeOptions,
      apply: (changed) => {
        this.#options = changed;
      },
      actions: { changeBudget: (limits: Parameters<AdjustableBudget["change"]>[0]) => this.#own.change(limits) },
    });
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    const { quantile, minDelayMs, minimumCalls, maxKeys, only } = this.#options;
    if (this.#closed || !mayBeSentTwice(operation) || only?.(operation) === false) return next(operation);
    const { signal } = operation;
    if (signal?.aborted === true) return Promise.reject(abortReason(signal));
    this.#count();
    const kind = this.#kinds.of(operation, maxKeys);
    const usualMs = kind.quantileMs(quantile, minimumCalls);
    if (usualMs !== undefined) {
      return new HedgedRead<T>(this, kind, operation, next, Math.max(minDelayMs, usualMs)).run();
    }
    const startMs = this.now();
    return next(operation).then((value) => {
      const nowMs = this.now();
      kind.record(nowMs - startMs, nowMs);
      return value;
    });
  }

  stats(): Readonly<Record<string, unknown>> {
    return {
      reads: this.#reads,
      sent: this.#sent,
      won: this.#won,
      lost: this.#lost,
      overBudget: this.#overBudget,
      runningOut: this.#runningOut.size,
      cancelled: this.#cancelled,
      kinds: this.#kinds.size,
      budget: this.#budget?.stats(),
    };
  }

  close(): void {
    this.#closed = true;
    for (const kind of this.#kinds.all()) kind.stop();
    for (const go of this.#runningOut) go.cancel();
  }

  now(): number {
    return this.#options.clock.now();
  }

  ready(): boolean {
    return !this.#closed && this.#runningOut.size < this.#options.maxRunningOut;
  }

  get toPrimary(): boolean {
    return this.#options.toPrimary;
  }

  send(read: SlowRead, node: string): boolean {
    if (this.#closed) return false;
    if (this.#budget?.tryRetry() === false) {
      this.#overBudget += 1;
      return false;
    }
    this.#sent += 1;
    const { label, first, startMs } = read;
    const slow = first.nodes.at(-1) ?? "";
    const afterMs = this.now() - startMs;
    this.#pool.events.emit("hedge:sent", { pool: this.#pool.name, label, node, slow, afterMs });
    return true;
  }

  won({ label, second, startMs }: SlowRead): void {
    this.#won += 1;
    const tookMs = this.now() - startMs;
    const node = second?.nodes.at(-1) ?? "";
    this.#pool.events.emit("hedge:won", { pool: this.#pool.name, label, node, tookMs });
  }

  lost({ label, second }: SlowRead, error: unknown): void {
    this.#lost += 1;
    const failure = error === undefined ? undefined : failureOf(error);
    const node = second?.nodes.at(-1) ?? "";
    this.#pool.events.emit("hedge:lost", { pool: this.#pool.name, label, node, failure });
  }

  lose(go: Go): void {
    const { clock, runOutMs } = this.#options;
    const runs = go.lose(clock, runOutMs, () => (this.#cancelled += 1));
    if (!runs) return;
    this.#runningOut.add(go);
    if (this.#closed) go.cancel();
  }

  ended(go: Go): void {
    this.#runningOut.delete(go);
  }

  get #budget(): RetryBudget | undefined {
    const { budget = this.#own } = this.#options;
    return budget === false ? undefined : budget;
  }

  /** A budget that is shared with `retry` is told of calls by it. */
  #count(): void {
    this.#reads += 1;
    const budget = this.#budget;
    if (budget === this.#own || !this.#retries) budget?.recordCall();
  }
}

/**
 * Whether to run a call twice at the same time does no harm, and a replica may answer it. A session that must not go back
 * in time stays on its node, so its reads are left alone.
 */
function mayBeSentTwice<T>(operation: Operation<T>): operation is QueryOperation<T> {
  const { kind, access, purpose, consistency, causality, held, hedged } = operation;
  return (
    kind === "query" &&
    access === "read" &&
    purpose === "call" &&
    consistency !== "strong" &&
    causality?.monotonic !== true &&
    held === undefined &&
    hedged === undefined
  );
}
