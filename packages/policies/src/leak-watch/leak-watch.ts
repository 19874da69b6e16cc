/**
 * Tells who holds a connection for too long, and can take it back.
 *
 * Best outermost: a call that a policy outside has set aside for a while has lost the stack of its caller.
 */
import {
  adjustable,
  type Clock,
  knownOptions,
  type Next,
  type Operation,
  OptionError,
  type Policy,
  type PolicyControl,
  type PolicyPart,
  type Pool,
  positiveMs,
  type Random,
  statefulPolicy,
  systemClock,
} from "@breakwater/core";
import "./events.ts";
import { Holder } from "./holder.ts";
import { Watch } from "./watch.ts";
import { noteStack } from "./stack.ts";

/** How long a connection may be held before it is told, or taken back. */
export interface LeakWatchOptions {
  /** A connection that is held longer is told of, in milliseconds; above 0. @default 30000 */
  readonly maxHeldMs?: number;
  /**
   * A connection that is held this long is ended, whatever its holder is doing, in milliseconds; at least `maxHeldMs`.
   * Its later use fails with `HeldTooLongError`. @default never
   */
  readonly forceReturnAfterMs?: number;
  /** Share of the borrowers whose stack is noted, 0 to 1. All are watched. @default 1 */
  readonly stackRate?: number;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
  /** Source of the dice. @default Math.random */
  readonly random?: Random;
}

/**
 * Makes the policy that watches borrowed connections: those of `connect()` and of streams, and those that the function of
 * a transaction holds. Single statements pass untouched.
 * @throws OptionError when an option is unknown or out of range.
 */
export function leakWatch(options: LeakWatchOptions = {}): Policy {
  const settings = check(options);
  return statefulPolicy("leak-watch", (inner) => new LeakWatch(inner, settings));
}

type Settings = Required<Omit<LeakWatchOptions, "forceReturnAfterMs">> & Pick<LeakWatchOptions, "forceReturnAfterMs">;

function check(options: LeakWatchOptions): Settings {
  knownOptions("leakWatch", options, ["maxHeldMs", "forceReturnAfterMs", "stackRate", "clock", "random"]);
  const { maxHeldMs = 30_000, forceReturnAfterMs, stackRate = 1, clock = systemClock, random = Math.random } = options;
  positiveMs("leakWatch.maxHeldMs", maxHeldMs);
  if (forceReturnAfterMs !== undefined && positiveMs("leakWatch.forceReturnAfterMs", forceReturnAfterMs) < maxHeldMs)
    throw new OptionError(
      "leakWatch.forceReturnAfterMs",
      forceReturnAfterMs,
      `at least maxHeldMs, which is ${maxHeldMs}`,
    );
  if (typeof stackRate !== "number" || !(stackRate >= 0 && stackRate <= 1))
    throw new OptionError("leakWatch.stackRate", stackRate, "a number from 0 to 1");
  if (typeof clock?.setTimer !== "function") throw new OptionError("leakWatch.clock", clock, "a clock");
  if (typeof random !== "function") throw new OptionError("leakWatch.random", random, "a function that draws a number");
  return { maxHeldMs, ...(forceReturnAfterMs !== undefined && { forceReturnAfterMs }), stackRate, clock, random };
}

class LeakWatch implements PolicyPart {
  readonly control: PolicyControl;
  #settings: Settings;
  readonly #watch: Watch;
  readonly #unlisten: () => void;
  #openTransactions = 0;

  constructor(inner: Pool, settings: Settings) {
    this.#settings = settings;
    this.#watch = new Watch(inner, settings);
    this.#unlisten = inner.events.on("connection:open-transaction", () => {
      this.#openTransactions += 1;
    });
    this.control = adjustable({
      owner: "leakWatch",
      options: settings,
      names: ["maxHeldMs", "forceReturnAfterMs", "stackRate"],
      check,
      apply: (changed) => {
        this.#settings = changed;
        this.#watch.change(changed);
      },
    });
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    if (operation.kind === "query" || operation.purpose === "probe") return next(operation);
    const { stackRate, random, forceReturnAfterMs } = this.#settings;
    const noted = stackRate === 1 || (stackRate > 0 && random() < stackRate) ? noteStack() : undefined;
    const holder = new Holder(operation, noted, this.#watch, forceReturnAfterMs !== undefined);
    return next(holder.operation).then(
      (value) => {
        holder.leave();
        return value;
      },
      (error: unknown) => {
        holder.leave();
        throw error;
      },
    );
  }

  stats(): Readonly<Record<string, unknown>> {
    return { ...this.#watch.stats(), openTransactions: this.#openTransactions };
  }

  close(): void {
    this.#unlisten();
    this.#watch.close();
  }
}
