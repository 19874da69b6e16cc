/**
 * A policy takes a pool and gives back a pool: the one idea that carries the project.
 */
import { Control, type PolicyControl } from "./controls.ts";
import { StackOrderError } from "./errors.ts";
import type { Events } from "./events.ts";
import type { Dialect } from "./dialect.ts";
import type { Operation } from "./operation.ts";
import type { CallTrace } from "../trace/trace.ts";
import type {
  CloseOptions,
  Destinations,
  Interrupted,
  Layer,
  PolicyStats,
  Pool,
  PoolBounds,
  PoolStats,
} from "./pool.ts";

/** Decorates a pool. */
export type Policy = (inner: Pool) => Pool;

/** What stands below a policy: runs the operation on the inner pool. */
export type Next = <T>(operation: Operation<T>) => Promise<T>;

/** What one policy does with one call. */
export type Execute = <T>(operation: Operation<T>, next: Next, inner: Pool) => Promise<T>;

/** A policy that has been put around one pool, with the state that belongs to that pool. */
export interface PolicyPart {
  /** Runs a call; `next` is what stands further in. */
  execute<T>(operation: Operation<T>, next: Next): Promise<T>;
  /** Its own counters; the policy's name is added. */
  stats?(): Readonly<Record<string, unknown>>;
  /** What may be changed while it works. */
  readonly control?: PolicyControl;
  /** Sends back those who wait in it, as the pool below does with its own; asked before that pool is. */
  interrupt?(reason: Error, whom: Interrupted): void;
  /** Ends its timers. */
  close?(): void;
}

/** Where a policy may stand. */
export interface Placement {
  /** Names of layers that must stand further in, each with the reason that a misplaced stack is told. */
  readonly outside?: Readonly<Record<string, string>>;
  /** Names of layers that must stand further out, each with its reason. */
  readonly inside?: Readonly<Record<string, string>>;
}

/** Lifts one function `(operation, next, inner) => Promise` to a policy of that `name`, which errors and `stats()` show. */
export function policy(name: string, execute: Execute, placement: Placement = {}): Policy {
  return statefulPolicy(
    name,
    (inner) => ({ execute: (operation, next) => execute(operation, next, inner) }),
    placement,
  );
}

/**
 * Lifts a function that makes the state for one pool to a policy: each pool that the policy is put around has its own.
 * @param name shown by errors and `stats()`.
 * @param create makes that state, once for each pool.
 */
export function statefulPolicy(name: string, create: (inner: Pool) => PolicyPart, placement: Placement = {}): Policy {
  return (inner) => {
    checkPool(name, inner);
    checkOrder(name, inner, placement.inside);
    return new DecoratedPool({ name, outside: placement.outside ?? {} }, inner, create(inner));
  };
}

/**
 * Puts policies around a pool: `compose(a, b, c)(pool)`, and `a` sees the call first. The result is itself a policy.
 * @throws StackOrderError when applied in an order in which a layer cannot do its work.
 */
export function compose(...policies: readonly Policy[]): Policy {
  for (const [index, entry] of policies.entries()) {
    if (typeof entry !== "function")
      throw new TypeError(`compose: argument ${index + 1} must be a policy (a function)`);
  }
  return (pool) => policies.reduceRight((inner, outer) => outer(inner), pool);
}

/**
 * Tells a wrong order by name. `inside` names the layers that must not stand further in, and why.
 * @throws StackOrderError when a layer of `inner` must stand outside the layer that is about to be put around it.
 */
export function checkOrder(name: string, inner: Pool, inside: Placement["inside"] = {}): void {
  for (const layer of inner.layers) {
    const reason = layer.outside[name] ?? inside[layer.name];
    if (reason !== undefined) throw new StackOrderError(inner.name, layer.name, name, reason);
  }
}

function checkPool(name: string, inner: Pool): void {
  if (typeof inner?.execute !== "function") {
    throw new TypeError(`policy "${name}" must be put around a pool, such as the result of fromPg()`);
  }
}

class DecoratedPool implements Pool {
  readonly name: string;
  readonly dialect: Dialect;
  readonly events: Events;
  readonly layers: readonly Layer[];
  // Not there where there is nothing to change: who asks must hear so.
  readonly resize?: (size: PoolBounds) => void;
  readonly leadsTo?: (operation: Operation<unknown>) => Destinations;
  readonly #policy: string;
  readonly #inner: Pool;
  readonly #part: PolicyPart;
  readonly #next: Next;
  #closed = false;

  constructor(layer: Layer, inner: Pool, part: PolicyPart) {
    this.name = inner.name;
    this.dialect = inner.dialect;
    this.events = inner.events;
    this.layers = [layer, ...inner.layers];
    this.#policy = layer.name;
    this.#inner = inner;
    this.#part = part;
    this.#next = (operation) => inner.execute(operation);
    if (inner.resize !== undefined) this.resize = (size) => inner.resize?.(size);
    const leadsTo = inner.leadsTo?.bind(inner);
    if (leadsTo !== undefined) this.leadsTo = leadsTo;
  }

  execute<T>(operation: Operation<T>): Promise<T> {
    try {
      const { trace } = operation;
      return trace === undefined ? this.#part.execute(operation, this.#next) : this.#traced(operation, trace);
    } catch (error) {
      // A policy written as a plain function may throw before it has a promise; callers only ever see a rejection.
      return Promise.reject(error);
    }
  }

  // By itself: the function that is handed on would cost every call the memory for what it holds.
  #traced<T>(operation: Operation<T>, trace: CallTrace): Promise<T> {
    return trace.through(this.#policy, this.name, operation.attempt, () => this.#part.execute(operation, this.#next));
  }

  stats(): PoolStats {
    const inner = this.#inner.stats();
    const own: PolicyStats = { ...this.#part.stats?.(), policy: this.#policy };
    return Object.freeze({ ...inner, policies: Object.freeze([Object.freeze(own), ...inner.policies]) });
  }

  controls(): readonly Control[] {
    const inner = this.#inner.controls?.() ?? [];
    const { control } = this.#part;
    if (control === undefined) return inner;
    const of = { policy: this.#policy, pool: this.name, events: this.events };
    return [new Control(this.#policy, of, control), ...inner];
  }

  interrupt(reason: Error, whom: Interrupted = "all"): void {
    this.#part.interrupt?.(reason, whom);
    this.#inner.interrupt(reason, whom);
  }

  async ready(): Promise<void> {
    await this.#inner.ready?.();
  }

  async close(options?: CloseOptions): Promise<void> {
    try {
      if (!this.#closed) this.#part.close?.();
    } finally {
      this.#closed = true;
      await this.#inner.close(options);
    }
  }
}
