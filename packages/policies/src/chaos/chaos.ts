/**
 * Injects faults into calls: errors, latency, lost replies, refused acquires. For tests, and for finding out in a test
 * environment what a service makes of a bad day.
 *
 * Stands around one node, nearest to the driver: everything else in the stack is to meet the fault as it would a real one.
 */
import {
  type Clock,
  type ControlOptions,
  knownOptions,
  type Next,
  type Operation,
  OptionError,
  type Placement,
  type Policy,
  type PolicyControl,
  type Pool,
  type Random,
  seededRandom,
  statefulPolicy,
  systemClock,
} from "@breakwater/core";
import { type ChaosFault, ScopedFault } from "./chaos-fault.ts";
import "./events.ts";
import { type ChaosFaultOptions, checkFault } from "./options.ts";
import { Striker } from "./striker.ts";

export interface ChaosOptions {
  /** Faults that are on from the beginning. @default none */
  readonly faults?: readonly ChaosFaultOptions[];
  /** Makes the dice: the same seed strikes the same calls; a whole number. @default other dice each time */
  readonly seed?: number;
  /** Source of the dice, instead of `seed`. @default Math.random */
  readonly random?: Random;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

/** The policy, and a hand on its faults. */
export interface Chaos extends Policy {
  /**
   * Switches a fault on, in all pools that the policy stands around.
   * @throws OptionError when an option is unknown or out of range.
   */
  inject(options: ChaosFaultOptions): ChaosFault;
  /** Ends all faults. */
  off(): void;
}

const REASON = "chaos stands in for the driver, and what is further in does not meet the injected fault";

/** All that has to meet the fault. */
const PLACEMENT: Placement = {
  inside: {
    "adaptive-limit": REASON,
    bulkhead: REASON,
    "circuit-breaker": REASON,
    coalesce: REASON,
    "commit-resolution": REASON,
    fallback: REASON,
    hedge: REASON,
    retry: REASON,
    router: REASON,
    throttle: REASON,
  },
};

/**
 * Makes the policy that injects faults. Nothing is injected until a fault is on.
 * @throws OptionError when an option is unknown or out of range.
 */
export function chaos(options: ChaosOptions = {}): Chaos {
  knownOptions("chaos", options, ["faults", "seed", "random", "clock"]);
  const { faults = [], clock = systemClock } = options;
  const random = diceOf(options);
  if (typeof clock?.setTimer !== "function") throw new OptionError("chaos.clock", clock, "a clock");
  /** Asked in this order. A list is never changed while it is asked. */
  let on: readonly ScopedFault[] = [];

  const inject = (given: ChaosFaultOptions): ChaosFault => {
    const fault = new ScopedFault(checkFault(given), random, (ended) => {
      on = on.filter((one) => one !== ended);
    });
    on = [...on, fault];
    return fault;
  };
  const off = (): void => {
    for (const fault of on) fault.off();
  };
  for (const given of checkFaults(faults)) inject(given);

  // The faults are the same in all pools that the policy stands around, and so is the hand on them.
  const control: PolicyControl = {
    options: () => ({ faults: on.map((fault) => fault.options) }),
    configure: (changes) => {
      const { faults: wanted } = knownOptions<ControlOptions>("chaos", changes, ["faults"]);
      if (wanted === undefined) return;
      const checked = checkFaults(wanted as readonly ChaosFaultOptions[]);
      off();
      for (const fault of checked) inject(fault);
    },
    actions: { inject, off },
  };

  const made = statefulPolicy(
    "chaos",
    (inner: Pool) => {
      const striker = new Striker(inner, clock, random);
      return {
        execute: <T>(operation: Operation<T>, next: Next) =>
          on.length === 0 ? next(operation) : striker.execute(operation, next, on),
        stats: () => ({ faults: on.length, ...striker.hits }),
        control,
        close: () => striker.close(),
      };
    },
    PLACEMENT,
  );
  return Object.assign(made, { inject, off });
}

function checkFaults(faults: readonly ChaosFaultOptions[]): readonly ChaosFaultOptions[] {
  if (!Array.isArray(faults)) throw new OptionError("chaos.faults", faults, "an array of faults");
  return (faults as readonly ChaosFaultOptions[]).map((fault) => checkFault(fault));
}

function diceOf({ seed, random }: ChaosOptions): Random {
  if (seed !== undefined && random !== undefined) {
    throw new OptionError("chaos.seed", seed, "left out where random is given");
  }
  if (seed !== undefined && !Number.isSafeInteger(seed)) throw new OptionError("chaos.seed", seed, "a whole number");
  if (random !== undefined && typeof random !== "function") {
    throw new OptionError("chaos.random", random, "a function that draws a number");
  }
  return seed === undefined ? (random ?? Math.random) : seededRandom(seed);
}
