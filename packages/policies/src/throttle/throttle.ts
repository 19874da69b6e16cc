/**
 * Sends fewer calls to a server that refuses them for lack of room: a refusal costs it work too.
 *
 * Client-side throttling as in chapter 21 of "Site Reliability Engineering" (Beyer et al., 2016). Stands around one node,
 * inside `retry` and the router.
 */
import {
  atLeast,
  type Clock,
  failureOf,
  knownOptions,
  type Next,
  type Operation,
  OptionError,
  type Placement,
  type Policy,
  type PolicyPart,
  type Pool,
  positiveMs,
  type Random,
  RejectedError,
  statefulPolicy,
  systemClock,
} from "@breakwater/core";
import { SlidingCount } from "../budget/sliding-count.ts";
import "./events.ts";
import { ThrottledError } from "./throttled-error.ts";

/** The limit of a throttle, which may be changed while it works. */
export interface ThrottleLimits {
  /**
   * Calls sent for each that the server accepts; a number from 1. Lower refuses sooner, higher learns sooner that the
   * server has room again. @default 2
   */
  readonly factor?: number;
}

export interface ThrottleOptions extends ThrottleLimits {
  /** What counts as recent, in milliseconds; above 0. @default 10000 */
  readonly windowMs?: number;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
  /** Source of the dice. @default Math.random */
  readonly random?: Random;
}

/** The policy, and a hand on the limits of the pools that it was put around. A closed pool is no longer among them. */
export interface Throttle extends Policy {
  /**
   * Changes the limit; what was counted stays.
   * @param pool Name of a pool; without it, all that the policy has been put around so far.
   * @throws OptionError when the limit is unknown or out of range, or the policy stands around no pool of that name.
   */
  change(limits: ThrottleLimits, pool?: string): void;
}

const PLACEMENT: Placement = {
  outside: { chaos: "injected refusals would not be counted" },
  inside: {
    retry: "a call would be counted once where several attempts were refused",
    router: "one node that refuses calls would keep them from the others",
  },
};

/** Reading the time costs more than counting, so accepted calls are counted in groups of at most this many. */
const GROUP = 16;

/**
 * Makes the policy that throttles. Each pool that it is put around has counts of its own.
 *
 * Within the window, a normal call is refused with probability `max(0, (requests - factor * accepts) / (requests + 1))`,
 * a sheddable one twice as probably, a critical one never. What is refused here counts as a request.
 * @throws OptionError when an option is unknown or out of range.
 */
export function throttle(options: ThrottleOptions = {}): Throttle {
  knownOptions("throttle", options, ["factor", "windowMs", "clock", "random"]);
  const { factor = 2, windowMs = 10_000, clock = systemClock, random = Math.random } = options;
  atLeast("throttle.factor", factor, 1);
  positiveMs("throttle.windowMs", windowMs);
  if (typeof clock?.setTimer !== "function") throw new OptionError("throttle.clock", clock, "a clock");
  if (typeof random !== "function") throw new OptionError("throttle.random", random, "a function that draws a number");
  const valves = new Set<Valve>();

  const find = (name: string): Valve[] => {
    const found = [...valves].filter((valve) => valve.pool === name);
    if (found.length > 0) return found;
    const names = [...valves].map((valve) => `"${valve.pool}"`).join(", ");
    throw new OptionError("throttle pool", name, `the name of a pool that this throttle stands around (${names})`);
  };

  const made = statefulPolicy(
    "throttle",
    (inner) => {
      const valve = new Valve({ factor, windowMs, clock, random }, inner);
      valves.add(valve);
      return {
        execute: (operation, next) => valve.execute(operation, next),
        stats: () => valve.stats(),
        control: { options: () => ({ factor: valve.factor }), configure: (limits) => change(limits, [valve]) },
        close: () => void valves.delete(valve),
      };
    },
    PLACEMENT,
  );

  return Object.assign(made, {
    change: (limits: ThrottleLimits, pool?: string) => change(limits, pool === undefined ? valves : find(pool)),
  });
}

function change(limits: ThrottleLimits, valves: Iterable<Valve>): void {
  const { factor } = knownOptions("throttle", limits, ["factor"]);
  if (factor !== undefined) atLeast("throttle.factor", factor, 1);
  for (const valve of valves) valve.factor = factor ?? valve.factor;
}

/** The counts of one pool. */
class Valve implements PolicyPart {
  factor: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pool: Pool;
  readonly #accepts: SlidingCount;
  /** Calls that the server refused, and calls that were not sent for that. */
  readonly #refused: SlidingCount;
  #uncounted = 0;
  #rejected = 0;
  /** Whether the window may hold a refusal: without one nothing needs to be worked out. */
  #wary = false;

  constructor(options: Required<ThrottleOptions>, pool: Pool) {
    this.factor = options.factor;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#pool = pool;
    this.#accepts = new SlidingCount(options.windowMs, options.clock.now());
    this.#refused = new SlidingCount(options.windowMs, options.clock.now());
  }

  get pool(): string {
    return this.#pool.name;
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    if (operation.purpose === "probe") return next(operation);
    if (this.#wary) {
      const probability = this.#probability(operation);
      if (probability > 0 && this.#random() < probability) return this.#reject(operation, probability);
    }
    return next(operation).then(this.#accepted, this.#failed);
  }

  stats(): Readonly<Record<string, unknown>> {
    const { requests, accepts } = this.#counts();
    const { factor } = this;
    return {
      factor,
      requests,
      accepts,
      probability: probabilityOf(requests, accepts, factor),
      rejected: this.#rejected,
    };
  }

  readonly #accepted = <T>(value: T): T => {
    this.#accept();
    return value;
  };

  readonly #failed = (error: unknown): never => {
    const { blames, phase } = failureOf(error);
    // Refused further in or by the caller: the server was not asked. A lost node is the breaker's affair.
    if (!(error instanceof RejectedError)) {
      if (blames === "load" && phase !== "acquire") {
        this.#wary = true;
        this.#refused.add(1, this.#clock.now());
      } else if (blames === "statement" || blames === "contention") this.#accept();
    }
    throw error;
  };

  #accept(): void {
    if (++this.#uncounted >= GROUP) this.#counts();
  }

  #counts(): { readonly requests: number; readonly accepts: number } {
    const nowMs = this.#clock.now();
    this.#accepts.add(this.#uncounted, nowMs);
    this.#uncounted = 0;
    const accepts = this.#accepts.total(nowMs);
    const refused = this.#refused.total(nowMs);
    if (refused === 0) this.#wary = false;
    return { requests: accepts + refused, accepts };
  }

  #probability({ priority }: Operation<unknown>): number {
    if (priority === "critical") return 0;
    const { requests, accepts } = this.#counts();
    const probability = probabilityOf(requests, accepts, this.factor);
    return priority === "sheddable" ? Math.min(1, 2 * probability) : probability;
  }

  #reject(operation: Operation<unknown>, probability: number): Promise<never> {
    this.#rejected++;
    this.#refused.add(1, this.#clock.now());
    const { events, name: pool } = this.#pool;
    const { label, priority } = operation;
    if (events.has("throttle:rejected")) events.emit("throttle:rejected", { pool, label, priority, probability });
    return Promise.reject(new ThrottledError(pool, probability));
  }
}

function probabilityOf(requests: number, accepts: number, factor: number): number {
  return Math.max(0, (requests - factor * accepts) / (requests + 1));
}
