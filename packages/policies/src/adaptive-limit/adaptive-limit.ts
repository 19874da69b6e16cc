/**
 * Finds out how many calls at a time a node serves without making them wait, and lets no more in.
 *
 * Stands around one node: inside `retry` and the router, which send a refused call elsewhere. It has no queue: a
 * `bulkhead` outside it may have one and follow its limit.
 */
import { OptionError, type Placement, type Policy, statefulPolicy } from "@breakwater/core";
import "./events.ts";
import { Limiter } from "./limiter.ts";
import { type AdaptiveLimitOptions, type AdaptiveLimits, checkAdaptiveLimitOptions } from "./options.ts";

const PLACEMENT: Placement = {
  outside: { chaos: "the limit would not see the injected latency" },
  inside: {
    retry: "the pauses between attempts would be taken for latency of the server",
    router: "one limit would be made of the latencies of several nodes",
  },
};

/** The policy, and a hand on the limits of the pools that it was put around. A closed pool is no longer among them. */
export interface AdaptiveLimit extends Policy {
  /**
   * How many calls may run on a pool at this moment.
   * @throws OptionError when the policy stands around no pool of that name.
   */
  limit(pool: string): number;
  /**
   * Changes the bounds of the limit; what is left out stays as it is, and so does what was learned.
   * @param pool Name of a pool; without it, all that the policy has been put around so far.
   * @throws OptionError when a bound is unknown or out of range, or the policy stands around no pool of that name.
   */
  change(limits: AdaptiveLimits, pool?: string): void;
}

/**
 * Makes the policy that bounds the calls that run by what the node can do. Each pool that it is put around has a limit of
 * its own.
 * @throws OptionError when an option is unknown or out of range.
 */
export function adaptiveLimit(options: AdaptiveLimitOptions = {}): AdaptiveLimit {
  const checked = checkAdaptiveLimitOptions(options);
  const limiters = new Set<Limiter>();

  const find = (name: string): Limiter[] => {
    const found = [...limiters].filter((limiter) => limiter.pool === name);
    if (found.length > 0) return found;
    const names = [...limiters].map((limiter) => `"${limiter.pool}"`).join(", ");
    throw new OptionError("adaptiveLimit pool", name, `the name of a pool that this limit stands around (${names})`);
  };

  const made = statefulPolicy(
    "adaptive-limit",
    (inner) => {
      const limiter = new Limiter(checked, inner);
      limiters.add(limiter);
      return {
        execute: (operation, next) => limiter.execute(operation, next),
        stats: () => limiter.stats(),
        control: { options: () => limiter.given, configure: (bounds) => limiter.change(bounds) },
        close: () => void limiters.delete(limiter),
      };
    },
    PLACEMENT,
  );

  return Object.assign(made, {
    limit: (pool: string) => find(pool)[0]!.limit,
    change: (limits: AdaptiveLimits, pool?: string) => {
      for (const limiter of pool === undefined ? limiters : find(pool)) limiter.change(limits);
    },
  });
}
