/**
 * Answers named failures with a value, a function, or the last good answer.
 *
 * Stands outside `retry`: what a new attempt can mend needs no substitute. Writes are not answered unless asked for, and
 * sessions never, since their connection cannot be made up.
 */
import {
  adjustable,
  failureOf,
  type Next,
  type Operation,
  type Policy,
  type PolicyControl,
  type PolicyPart,
  type Pool,
  statefulPolicy,
} from "@breakwater/core";
import "./events.ts";
import { type CheckedFallbackOptions, checkFallbackOptions, type FailedCall, type FallbackOptions } from "./options.ts";

const REASON = "a failure that it answers would not be seen further out";
const PLACEMENT = {
  outside: {
    retry: "a failure would be answered before it was tried to mend it",
    "commit-resolution": "a write would be answered before its outcome was asked for",
    router: REASON,
    "circuit-breaker": `${REASON}, and the circuit never opened`,
    chaos: "an injected fault would never be answered",
  },
};

/**
 * Makes the policy that answers failures.
 * @throws OptionError when an option is missing, unknown or out of range.
 */
export function fallback(options: FallbackOptions): Policy {
  const checked = checkFallbackOptions(options);
  return statefulPolicy("fallback", (inner) => new Fallback(options, checked, inner), PLACEMENT);
}

class Fallback implements PolicyPart {
  readonly control: PolicyControl;
  #options: CheckedFallbackOptions;
  readonly #pool: Pool;
  #stale = 0;
  #answered = 0;
  #failed = 0;

  constructor(given: FallbackOptions, options: CheckedFallbackOptions, pool: Pool) {
    this.#options = options;
    this.#pool = pool;
    this.control = adjustable({
      owner: "fallback",
      options: { ...given, writes: options.writes },
      names: ["for", "value", "stale", "writes"],
      check: (changed: FallbackOptions) => ({ ...changed, writes: checkFallbackOptions(changed).writes }),
      apply: (changed) => {
        this.#options = checkFallbackOptions(changed);
      },
    });
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    const { writes, stale } = this.#options;
    const { purpose, kind, access } = operation;
    if (purpose === "probe" || kind === "session" || (access === "write" && writes === "none")) return next(operation);
    const answer = (error: unknown): Promise<T> => this.#answer(error, operation) as Promise<T>;
    if (stale === undefined) return next(operation).catch(answer);
    return next(operation).then((value) => {
      this.#keep(operation, value);
      return value;
    }, answer);
  }

  stats(): Readonly<Record<string, unknown>> {
    return { stale: this.#stale, answered: this.#answered, failed: this.#failed };
  }

  async #answer(error: unknown, operation: Operation<unknown>): Promise<unknown> {
    const { meant, answer, writes } = this.#options;
    const failure = failureOf(error);
    const unknown = operation.access === "write" && failure.effect === "unknown";
    if (unknown && writes !== "any") throw error;
    const call: FailedCall = { error, failure, operation };
    const { name: pool, events } = this.#pool;
    const { label } = operation;
    let found: { readonly value: unknown } | undefined;
    let by: "stale" | "value" = "stale";
    try {
      if (!meant(call)) throw error;
      found = this.#kept(operation);
      if (found === undefined && answer !== undefined) {
        by = "value";
        found = { value: await answer(call) };
      }
    } catch (reason) {
      if (reason !== error) {
        this.#failed++;
        events.emit("fallback:failed", { pool, label, error: reason });
      }
      throw error;
    }
    if (found === undefined) throw error;
    if (by === "stale") this.#stale++;
    else this.#answered++;
    events.emit("fallback:answered", { pool, label, by, failure });
    return found.value;
  }

  #kept(operation: Operation<unknown>): { readonly value: unknown } | undefined {
    const { stale } = this.#options;
    if (stale === undefined || operation.access === "write") return undefined;
    const key = stale.key(operation);
    const value = key === undefined ? undefined : stale.get(key);
    return value === undefined ? undefined : { value };
  }

  #keep(operation: Operation<unknown>, value: unknown): void {
    const { stale } = this.#options;
    if (stale === undefined || operation.access === "write") return;
    try {
      const key = stale.key(operation);
      if (key !== undefined) stale.set(key, value);
    } catch (error) {
      this.#failed++;
      this.#pool.events.emit("fallback:failed", { pool: this.#pool.name, label: operation.label, error });
    }
  }
}
