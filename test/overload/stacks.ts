/** The recommended stack in front of simulated servers, with what is to be tried around each of them. */
import { compose, type Policy, type Pool } from "@breakwater/core";
import type { SimulatedProcess, StackFactory } from "@breakwater/chaos/simulate";
import {
  adaptiveLimit,
  bulkhead,
  circuitBreaker,
  commitResolution,
  retry,
  router,
  timeout,
} from "@breakwater/policies";

type Around = (given: SimulatedProcess) => Policy;

/** The stack of the preset; `around` gives the policies next to each node's pool. */
export function preset(around: Around = () => compose()): StackFactory {
  return (given) => {
    const { nodes, clock, random } = given;
    const node = (pool: Pool): Pool => compose(circuitBreaker({ clock }), around(given))(pool);
    const outer = [timeout({ limitMs: 10_000, clock }), retry({ clock, random }), commitResolution({ clock })];
    const replicas = nodes.replicas.map(node);
    const shared = { clock, random };
    return compose(...outer)(
      router({ primary: node(nodes.primary), ...(replicas.length > 0 && { replicas }), ...shared }),
    );
  };
}

/** A bulkhead that lets in what an adaptive limit finds right, as the preset puts them together. */
export const queueBeforeLimit: Around = ({ clock }) => {
  return (inner) => {
    const queue = bulkhead({ clock });
    const limit = adaptiveLimit({ clock, priorities: false });
    const pool = compose(queue, limit)(inner);
    queue.change({ maxConcurrent: limit.limit(inner.name) });
    inner.events.on("adaptive-limit:changed", ({ limit: now }) => queue.change({ maxConcurrent: now }));
    return pool;
  };
};
