/**
 * Runs a failed call again, when that is safe and worth it.
 *
 * What is safe is said by the failure alone (see `Failure` in core): this policy knows no error codes. Stands outside
 * whatever a new attempt should meet anew (router, breaker), and inside `timeout`, which then bounds all attempts together.
 */
import {
  adjustable,
  type Failure,
  failureOf,
  type Next,
  type Operation,
  type Policy,
  type PolicyControl,
  type Pool,
  statefulPolicy,
} from "@breakwater/core";
import { type AdjustableBudget, type RetryBudget, retryBudget } from "../budget/index.ts";
import { backoffMs } from "./backoff.ts";
import type { RetryEnd } from "./events.ts";
import { loop } from "./loop.ts";
import { ADJUSTABLE, type CheckedRetryOptions, checkRetryOptions, type RetryOptions } from "./options.ts";
import { type FailedCall, honest, permits } from "./rules.ts";
import { Waits } from "./waits.ts";

const PLACEMENT = {
  outside: {
    "circuit-breaker": "the breaker would count one failure where several attempts failed, and never refuse an attempt",
    router: "every attempt would go to the node that has just failed",
    "commit-resolution": "what was rolled back is to be run again, which a retry further in cannot do",
    chaos: "an injected fault would never be retried",
  },
};

/**
 * Makes the policy that runs failed calls again.
 * @throws OptionError when an option is unknown or out of range.
 */
export function retry(options: RetryOptions = {}): Policy {
  const checked = checkRetryOptions(options);
  return statefulPolicy("retry", (inner) => new Retry(checked, inner), PLACEMENT);
}

class Retry {
  readonly control: PolicyControl;
  #options: CheckedRetryOptions;
  readonly #pool: Pool;
  readonly #own: AdjustableBudget;
  readonly #waits: Waits;
  #closed = false;
  #calls = 0;
  #retries = 0;
  #recovered = 0;
  #exhausted = 0;

  constructor(options: CheckedRetryOptions, pool: Pool) {
    this.#options = options;
    this.#pool = pool;
    this.#waits = new Waits(options.clock);
    this.#own = retryBudget({ clock: options.clock });
    this.control = adjustable({
      owner: "retry",
      options,
      names: ADJUSTABLE,
      check: checkRetryOptions,
      apply: (changed) => {
        this.#options = changed;
      },
      actions: { changeBudget: (limits: Parameters<AdjustableBudget["change"]>[0]) => this.#own.change(limits) },
    });
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    // A probe asks how the node is at this moment; an answer to a second question would not tell.
    if (operation.purpose === "probe") return next(operation);
    // Nor is a second go a call of the caller's: should it fail, there is the first.
    if (operation.hedged?.other !== undefined) return next(operation);
    this.#calls++;
    this.#budget?.recordCall();
    return next(operation).then(undefined, (error: unknown) => this.#goOn(error, operation, next));
  }

  stats(): Readonly<Record<string, unknown>> {
    return {
      calls: this.#calls,
      retries: this.#retries,
      recovered: this.#recovered,
      exhausted: this.#exhausted,
      waiting: this.#waits.size,
      budget: this.#budget?.stats(),
    };
  }

  get #budget(): RetryBudget | undefined {
    const { budget = this.#own } = this.#options;
    return budget === false ? undefined : budget;
  }

  close(): void {
    this.#closed = true;
    this.#waits.end(undefined);
  }

  #goOn<T>(firstError: unknown, operation: Operation<T>, next: Next): Promise<T> {
    // The way out of most failures: no loop is begun for what is never run again.
    if (!permits(failureOf(firstError), operation, this.#options)) {
      noteLast(operation, firstError);
      throw firstError;
    }
    const call: FailedCall = { operation, previousDelayMs: undefined, unknown: undefined, limited: new Map() };
    const attempt = (number: number): Promise<T> => next({ ...operation, attempt: number });
    return loop(firstError, attempt, (error, attempts) => this.#again(call, error, attempts)).then((value) => {
      this.#recovered++;
      return value;
    });
  }

  /** Resolves when it is time for the next attempt; rejects with what the caller gets when there is none. */
  async #again(call: FailedCall, error: unknown, attempts: number): Promise<void> {
    const { operation } = call;
    const failure = failureOf(error);
    if (failure.effect === "unknown") call.unknown = { error };
    if (!permits(failure, operation, this.#options)) {
      noteLast(operation, error);
      throw honest(call, error, failure);
    }
    // The caller left while the attempt ran; what it may have left behind is said first.
    if (operation.signal?.aborted) throw call.unknown ? call.unknown.error : operation.signal.reason;

    const backoff = backoffMs(this.#options, attempts, call.previousDelayMs, this.#options.random);
    call.previousDelayMs = backoff;
    // Backoff comes on top of what the failure asks for: else all who were told the same moment would come at once.
    const delayMs = Math.ceil((failure.retryAfterMs ?? 0) + backoff);
    const end = this.#end(failure, call, attempts, delayMs);
    if (end !== undefined) throw this.#giveUp(end, call, error, attempts);

    this.#retries++;
    const scheduled = { attempt: attempts + 1, delayMs, failure };
    this.#pool.events.emit("retry:scheduled", { pool: this.#pool.name, label: operation.label, ...scheduled });
    const { trace } = operation;
    const budgetLeft = trace && this.#budget?.stats().left;
    trace?.note("retry", "runs it again", { attempt: attempts + 1, delayMs, why: failure.reason, budgetLeft });
    const waited = trace?.wait("retry", "backoff");
    try {
      await this.#waits.wait(delayMs, operation.signal);
      waited?.();
    } catch (reason) {
      if (this.#closed) throw this.#giveUp("closed", call, error, attempts);
      throw call.unknown ? call.unknown.error : reason;
    }
  }

  /** Why there is no further attempt; undefined when there is one, which is then paid for. */
  #end(failure: Failure, call: FailedCall, attempts: number, delayMs: number): RetryEnd | undefined {
    if (this.#closed) return "closed";
    if (attempts > this.#options.maxRetries) return "max-retries";
    if (failure.maxRetries !== undefined) {
      const already = call.limited.get(failure.reason) ?? 0;
      if (already >= failure.maxRetries) return "max-retries";
      call.limited.set(failure.reason, already + 1);
    }
    if (this.#options.clock.now() + delayMs >= call.operation.deadline) return "deadline";
    // Contention is no sign of a server in trouble, and a serializable transaction that is not run again is of no use.
    const budget = this.#budget;
    if (failure.blames === "contention" || budget === undefined || budget.tryRetry()) return undefined;
    return "budget";
  }

  #giveUp(why: RetryEnd, call: FailedCall, error: unknown, attempts: number): unknown {
    const failure = failureOf(error);
    const { label, trace } = call.operation;
    this.#exhausted++;
    trace?.note("retry", "gives up", { attempts, because: why, why: failure.reason });
    this.#pool.events.emit("retry:exhausted", { pool: this.#pool.name, label, attempts, why, failure });
    return honest(call, error, failure);
  }
}

/** Writes down that a call is not run again because of what it failed with. */
function noteLast({ trace }: Operation<unknown>, error: unknown): void {
  const { reason, effect } = failureOf(error);
  trace?.note("retry", "does not run it again", { why: reason, effect });
}
