/**
 * Refuses calls to a node that keeps failing, at once instead of after a timeout, and lets them pass again on its first
 * proof of life.
 *
 * Stands around one node: inside `retry` and the router, which send the refused call elsewhere, and outside `chaos`.
 */
import { OptionError, type Policy, statefulPolicy } from "@breakwater/core";
import { Circuit, type CircuitState } from "./circuit.ts";
import { checkCircuitBreakerOptions, type CircuitBreakerOptions } from "./options.ts";

const PLACEMENT = { outside: { chaos: "the breaker would not see the injected faults" } };

/** The policy, and a hand on the circuits of the pools that it was put around. A closed pool is no longer among them. */
export interface CircuitBreaker extends Policy {
  /**
   * Takes pools out of service: calls are refused, probes still pass and do not close the circuit.
   * @param pool Name of a pool; without it, all that the policy has been put around so far.
   * @returns Puts them back. Where a pool was isolated several times, each time must be lifted.
   * @throws OptionError when the policy stands around no pool of that name.
   */
  isolate(pool?: string): () => void;
  /**
   * How the circuit of a pool stands.
   * @throws OptionError when the policy stands around no pool of that name.
   */
  state(pool: string): CircuitState;
}

/**
 * Makes the policy that refuses calls to a failing node. Each pool that it is put around has a circuit of its own.
 * @throws OptionError when an option is unknown or out of range.
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  const checked = checkCircuitBreakerOptions(options);
  const circuits = new Set<Circuit>();

  const find = (name: string): Circuit[] => {
    const found = [...circuits].filter((circuit) => circuit.pool === name);
    if (found.length > 0) return found;
    const names = [...circuits].map((circuit) => `"${circuit.pool}"`).join(", ");
    throw new OptionError("circuitBreaker pool", name, `the name of a pool that this breaker stands around (${names})`);
  };

  const breaker = statefulPolicy(
    "circuit-breaker",
    (inner) => {
      const circuit = new Circuit(checked, inner);
      circuits.add(circuit);
      return {
        execute: (operation, next) => circuit.execute(operation, next),
        stats: () => circuit.stats(),
        control: circuit.control,
        close: () => void circuits.delete(circuit),
      };
    },
    PLACEMENT,
  );

  return Object.assign(breaker, {
    isolate: (pool?: string) => {
      const lifts = (pool === undefined ? [...circuits] : find(pool)).map((circuit) => circuit.isolate());
      return () => {
        for (const lift of lifts) lift();
      };
    },
    state: (pool: string) => find(pool)[0]!.state,
  });
}
