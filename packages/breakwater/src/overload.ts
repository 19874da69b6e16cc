/**
 * What stands before a node against too much load: throttle, bulkhead, adaptive limit, the first outermost.
 */
import { type Clock, compose, type Policy, type Pool, type Random } from "@breakwater/core";
import {
  adaptiveLimit,
  type AdaptiveLimitOptions,
  bulkhead,
  type BulkheadOptions,
  throttle,
  type ThrottleOptions,
} from "@breakwater/policies";

/** Each of them is left out where it is false or not given. */
export interface OverloadOptions {
  /** Options of each node's `bulkhead`, which bounds how many calls run and wait; false for none. @default false */
  readonly bulkhead?: BulkheadOptions | false;
  /**
   * Options of each node's `adaptiveLimit`, which finds how many calls at a time the node can serve; false for none. With a
   * `bulkhead` as well, what is beyond the limit waits there, by priority. @default false
   */
  readonly adaptiveLimit?: AdaptiveLimitOptions | false;
  /** Options of each node's `throttle`, for a server that turns calls away; false for none. @default false */
  readonly throttle?: ThrottleOptions | false;
}

/** The time and the dice of the stack. */
interface Shared {
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The policies for one node's pool, made anew for each. */
export function overloadPolicies(options: OverloadOptions, { clock, random }: Shared): readonly Policy[] {
  const time = clock === undefined ? {} : { clock };
  const dice = random === undefined ? {} : { random };
  const { bulkhead: queue = false, adaptiveLimit: limit = false, throttle: valve = false } = options;
  return [
    ...(valve === false ? [] : [throttle({ ...time, ...dice, ...valve })]),
    ...(queue === false || limit !== false ? [] : [bulkhead({ ...time, ...queue })]),
    ...(limit === false || queue !== false ? [] : [adaptiveLimit({ ...time, ...limit })]),
    ...(limit === false || queue === false ? [] : [queueBefore({ ...time, ...queue }, { ...time, ...limit })]),
  ];
}

/** A bulkhead that lets in as many as the limit inside it finds right: by priority there, and not once more inside. */
function queueBefore(queueOptions: BulkheadOptions, limitOptions: AdaptiveLimitOptions): Policy {
  const { maxConcurrent = Number.POSITIVE_INFINITY } = queueOptions;
  const queue = bulkhead(queueOptions);
  const limit = adaptiveLimit({ priorities: false, ...limitOptions });
  return (inner: Pool) => {
    const pool = compose(queue, limit)(inner);
    const follow = (now: number): void => queue.change({ maxConcurrent: Math.min(now, maxConcurrent) });
    follow(limit.limit(inner.name));
    inner.events.on("adaptive-limit:changed", ({ limit: now }) => follow(now));
    return pool;
  };
}
