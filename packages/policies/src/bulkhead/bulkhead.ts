/**
 * Lets no more calls run at the same time than a node can serve, and the others wait: not for ever, not without number,
 * the important ones first.
 *
 * Stands inside `retry`, whose pauses would otherwise hold permits, and around one node, or around a router for all.
 */
import { OptionError, type Policy, statefulPolicy } from "@breakwater/core";
import "./events.ts";
import { Gate } from "./gate.ts";
import { type BulkheadLimits, type BulkheadOptions, checkBulkheadOptions } from "./options.ts";

const PLACEMENT = {
  outside: { chaos: "injected latency would hold no permit, and the overload that it is to bring would not be met" },
};

/** The policy, and a hand on the limits of the pools that it was put around. A closed pool is no longer among them. */
export interface Bulkhead extends Policy {
  /**
   * Changes limits while calls run and wait; what is left out stays as it is.
   * @param pool Name of a pool; without it, all that the policy has been put around so far.
   * @throws OptionError when a limit is unknown or out of range, or the policy stands around no pool of that name.
   */
  change(limits: BulkheadLimits, pool?: string): void;
}

/**
 * Makes the policy that bounds how many calls run and wait. Each pool that it is put around has permits of its own.
 * @throws OptionError when an option is unknown or out of range.
 */
export function bulkhead(options: BulkheadOptions = {}): Bulkhead {
  const checked = checkBulkheadOptions(options);
  const gates = new Set<Gate>();

  const find = (name: string): Gate[] => {
    const found = [...gates].filter((gate) => gate.pool === name);
    if (found.length > 0) return found;
    const names = [...gates].map((gate) => `"${gate.pool}"`).join(", ");
    throw new OptionError("bulkhead pool", name, `the name of a pool that this bulkhead stands around (${names})`);
  };

  const made = statefulPolicy(
    "bulkhead",
    (inner) => {
      const gate = new Gate(checked, inner);
      gates.add(gate);
      return {
        execute: (operation, next) => gate.execute(operation, next),
        stats: () => gate.stats(),
        control: { options: () => gate.limits, configure: (limits) => gate.change(limits) },
        interrupt: (reason) => gate.interrupt(reason),
        close: () => {
          gates.delete(gate);
          gate.close();
        },
      };
    },
    PLACEMENT,
  );

  return Object.assign(made, {
    change: (limits: BulkheadLimits, pool?: string) => {
      for (const gate of pool === undefined ? gates : find(pool)) gate.change(limits);
    },
  });
}
