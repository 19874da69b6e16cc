/**
 * Sends identical reads that are under way at the same time once, and gives all callers the same answer.
 *
 * Stands outermost, around `retry`: callers then share the attempts too. All get the same result object, so none of them
 * may change it.
 */
import {
  abortReason,
  adjustable,
  bounded,
  type Causality,
  type Clock,
  failureOf,
  knownOptions,
  type Next,
  type Operation,
  OptionError,
  type Policy,
  type PolicyControl,
  type PolicyPart,
  type Pool,
  positiveInteger,
  type Priority,
  type QueryOperation,
  statefulPolicy,
  systemClock,
  TimeoutError,
} from "@breakwater/core";
import { keyOf, mayShare } from "./key.ts";

export interface CoalesceOptions {
  /** Which reads may be shared, besides what is safe. @default all */
  readonly only?: (operation: Operation<unknown>) => boolean;
  /** Different reads under way that are remembered at a time; more are sent as they are. A whole number from 1. @default 10000 */
  readonly maxKeys?: number;
  /** Source of the time; the same as the stack's, whose deadlines are compared with it. @default systemClock */
  readonly clock?: Clock;
}

const ANEW = "what it asks a node for itself must be asked anew each time";
const PLACEMENT = {
  outside: {
    router: ANEW,
    "commit-resolution": ANEW,
    chaos: "the faults would be injected into what is shared, and not into calls",
  },
};

/**
 * Makes the policy that shares answers.
 * @throws OptionError when an option is unknown or out of range.
 */
export function coalesce(options: CoalesceOptions = {}): Policy {
  const checked = check(options);
  return statefulPolicy("coalesce", (inner) => new Coalesce(checked, inner), PLACEMENT);
}

/** Options with every default filled in. */
interface CheckedCoalesceOptions {
  readonly only: CoalesceOptions["only"];
  readonly maxKeys: number;
  readonly clock: Clock;
}

function check(options: CoalesceOptions): CheckedCoalesceOptions {
  const {
    only,
    maxKeys = 10_000,
    clock = systemClock,
  } = knownOptions("coalesce", options, ["only", "maxKeys", "clock"]);
  if (only !== undefined && typeof only !== "function") throw new OptionError("coalesce.only", only, "a function");
  positiveInteger("coalesce.maxKeys", maxKeys);
  if (typeof clock?.setTimer !== "function") throw new OptionError("coalesce.clock", clock, "a clock");
  return { only, maxKeys, clock };
}

const RANKS: Readonly<Record<Priority, number>> = { critical: 2, normal: 1, sheddable: 0 };

/** One read under way, and what it is good for. */
interface Shared {
  readonly answer: Promise<unknown>;
  readonly rank: number;
  readonly deadline: number;
  readonly consistency: Operation<unknown>["consistency"];
  readonly causality: Causality | undefined;
  /** What had been acknowledged when it began: what was written since may be missing from it. */
  readonly mark: number | undefined;
  readonly point: unknown;
  /** Ends it when the last caller has left; undefined when one of them cannot leave. */
  readonly abort: AbortController | undefined;
  callers: number;
}

class Coalesce implements PolicyPart {
  readonly control: PolicyControl;
  #options: CheckedCoalesceOptions;
  readonly #clock: Clock;
  readonly #pool: Pool;
  readonly #running = new Map<string, Shared>();
  #sent = 0;
  #shared = 0;

  constructor(options: CheckedCoalesceOptions, pool: Pool) {
    this.#options = options;
    this.#clock = options.clock;
    this.#pool = pool;
    this.control = adjustable({
      owner: "coalesce",
      options,
      names: ["only", "maxKeys"],
      check,
      apply: (changed) => {
        this.#options = changed;
      },
    });
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    const { only, maxKeys } = this.#options;
    if (!mayShare(operation) || only?.(operation) === false) return next(operation);
    const key = keyOf(operation);
    if (key === undefined) return next(operation);
    const { signal } = operation;
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    const running = this.#running.get(key);
    if (running !== undefined && isGoodFor(running, operation)) {
      this.#shared++;
      const again = (): Promise<T> => this.execute(operation, next);
      return this.#join(running, operation, again) as Promise<T>;
    }
    if (running === undefined && this.#running.size >= maxKeys) return next(operation);
    return this.#join(this.#send(key, operation, next), operation) as Promise<T>;
  }

  stats(): Readonly<Record<string, unknown>> {
    return { running: this.#running.size, sent: this.#sent, shared: this.#shared };
  }

  #send(key: string, operation: QueryOperation<unknown>, next: Next): Shared {
    this.#sent++;
    const { signal, deadline, priority, consistency, causality } = operation;
    const abort = signal === undefined ? undefined : new AbortController();
    const { mark, point } = causality ?? { mark: undefined, point: undefined };
    const answer = next(abort === undefined ? operation : { ...operation, signal: abort.signal });
    const rank = RANKS[priority];
    const shared: Shared = { answer, rank, deadline, consistency, causality, mark, point, abort, callers: 0 };
    this.#running.set(key, shared);
    const forget = (): void => {
      if (this.#running.get(key) === shared) this.#running.delete(key);
    };
    answer.then(forget, forget);
    abort?.signal.addEventListener("abort", forget, { once: true });
    return shared;
  }

  /** Waits for an answer, as long as this caller would. */
  #join(shared: Shared, operation: Operation<unknown>, again?: () => Promise<unknown>): Promise<unknown> {
    const { signal, deadline } = operation;
    // One who cannot leave keeps it going for all who come after.
    shared.callers += signal === undefined ? Number.POSITIVE_INFINITY : 1;
    // Nearly every one that is the first: it goes as long as the read does.
    if (signal === undefined && again === undefined) return shared.answer;
    const sooner = deadline < shared.deadline ? deadline : Number.POSITIVE_INFINITY;
    const left = (): void => {
      if (--shared.callers === 0 && signal !== undefined) shared.abort?.abort(signal.reason);
    };
    const limits = { clock: this.#clock, limit: sooner, signal, onLimit: () => tooLate(this.#pool.name) };
    const answer = bounded(shared.answer, limits, { left });
    if (again === undefined) return answer;
    return answer.catch((error: unknown) => {
      // It ended by the first caller's limits, which are not this one's.
      const late = error instanceof TimeoutError && shared.deadline < deadline && this.#clock.now() >= shared.deadline;
      if (late && failureOf(error).blames === "load" && this.#clock.now() < deadline) return again();
      throw error;
    });
  }
}

/** Whether a read that is under way may answer a call that begins now. */
function isGoodFor(shared: Shared, { priority, consistency, causality }: Operation<unknown>): boolean {
  // What is important must not be shed with what is not.
  if (shared.rank < RANKS[priority]) return false;
  if (consistency === "eventual") return true;
  if (shared.consistency === "eventual" || shared.causality !== causality) return false;
  return shared.mark === causality?.mark && shared.point === causality?.point;
}

function tooLate(pool: string): TimeoutError {
  const reason = "the deadline passed before the shared read was answered";
  return new TimeoutError(pool, reason, {
    phase: "running",
    effect: "none",
    retry: "other-node",
    blames: "load",
    connection: "keep",
    reason,
  });
}
