/** The recommended stack on simulated servers, and the places where a broken part can be put into it. */
import { compose, type Policy, type Pool } from "@breakwater/core";
import type { SimulatedProcess } from "@breakwater/chaos/simulate";
import { circuitBreaker, commitResolution, retry, router, timeout } from "@breakwater/policies";

/** What is different from the recommended stack. */
export interface Broken {
  /** Stands outside everything. */
  readonly outermost?: Policy;
  /** Stands between `timeout` and the rest, in place of `retry` and `commitResolution` where `bare` is true. */
  readonly middle?: Policy;
  /** Stands around each node's pool, in place of its breaker. */
  readonly node?: () => Policy;
  readonly bare?: boolean;
}

/** Makes the recommended stack, whole or with a broken part. */
export function recommended(broken: Broken = {}): (given: SimulatedProcess) => Pool {
  return ({ nodes, clock, random }) => {
    const node = (pool: Pool): Pool => (broken.node?.() ?? circuitBreaker({ clock }))(pool);
    const replicas = nodes.replicas.map(node);
    const whole = [retry({ clock, random }), commitResolution({ clock })];
    const outer = [
      ...(broken.outermost === undefined ? [] : [broken.outermost]),
      timeout({ limitMs: 10_000, clock }),
      ...(broken.middle === undefined ? [] : [broken.middle]),
      ...(broken.bare === true ? [] : whole),
    ];
    const primary = node(nodes.primary);
    return compose(...outer)(router({ primary, ...(replicas.length > 0 && { replicas }), clock, random }));
  };
}
