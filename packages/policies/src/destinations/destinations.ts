/**
 * Several databases behind one face: each call goes to one of them, by the rules, by name, or by whose call it is.
 *
 * Stands outermost, each destination being a whole stack: what retries, breakers and commit resolution know is known of one
 * database. The histories of two databases cannot be compared, so a session keeps count of each.
 */
import {
  adjustable,
  checkOrder,
  type CloseOptions,
  Control,
  type Destinations,
  type Dialect,
  Events,
  type Interrupted,
  type Layer,
  type NodeStats,
  type Operation,
  type PolicyControl,
  type Pool,
  PoolClosedError,
  type PoolStats,
  sumOfPools,
  UsageError,
} from "@breakwater/core";
import { ruleCall } from "../call-match.ts";
import { OnDemand } from "./on-demand.ts";
import { OpenDestination } from "./open-destination.ts";
import {
  type CheckedDestinationsOptions,
  checkLimits,
  checkOptions,
  type DestinationsOptions,
  isName,
  type Limits,
  quoted,
} from "./options.ts";

const OWN = "what it knows is true of one database; give each destination its own";
const LAYER: Layer = {
  name: "destinations",
  outside: {
    "adaptive-limit": OWN,
    "circuit-breaker": OWN,
    coalesce: OWN,
    "commit-resolution": OWN,
    destinations: "one has them all: a token could not tell the inner ones",
    hedge: OWN,
    router: OWN,
    throttle: OWN,
  },
};

/** What a call relies on wherever it goes: the face promises it for all destinations or for none. */
const PROMISES: readonly string[] = ["commit-resolution"];

/**
 * Makes one pool of several databases.
 * @throws OptionError when an option is unknown or out of range, there is no destination, a pool is given twice, or two are
 * of different kinds of database; StackOrderError when a stack has a layer that must stand outside.
 */
export function destinations(options: DestinationsOptions): Pool {
  return new DestinationsPool(checkOptions(options));
}

class DestinationsPool implements Pool {
  readonly name: string;
  readonly dialect: Dialect;
  readonly events: Events = new Events();
  readonly layers: readonly Layer[];
  readonly #options: CheckedDestinationsOptions;
  readonly #fixed: ReadonlyMap<string, OpenDestination>;
  readonly #onDemand: OnDemand;
  readonly #control: PolicyControl;
  #closing: Promise<void> | undefined;

  constructor(options: CheckedDestinationsOptions) {
    const { to, name, limits } = options;
    const pools = [...to.values()];
    const model = pools[0] as Pool;
    for (const pool of pools) checkOrder(LAYER.name, pool);
    this.name = name;
    this.dialect = model.dialect;
    const all = [...new Map(pools.flatMap((pool) => pool.layers).map((layer) => [layer.name, layer])).values()];
    const everywhere = (layer: string): boolean => pools.every((pool) => pool.layers.some((one) => one.name === layer));
    this.layers = [LAYER, ...all.filter((layer) => !PROMISES.includes(layer.name) || everywhere(layer.name))];
    this.#options = options;
    this.#fixed = new Map([...to].map(([key, pool]) => [key, new OpenDestination(key, pool, this.events)]));
    this.#onDemand = new OnDemand(options, this.events, model, PROMISES.filter(everywhere));
    this.#control = adjustable<Limits>({
      owner: "destinations",
      options: limits,
      names: ["maxOpen", "idleMs"],
      check: checkLimits,
      apply: (changed) => this.#onDemand.limit(changed),
      actions: {
        close: (destination: string, closing?: CloseOptions) => this.#onDemand.shut(destination, closing),
      },
    });
  }

  execute<T>(operation: Operation<T>): Promise<T> {
    try {
      if (this.#closing !== undefined) throw new PoolClosedError(this.name);
      const name = this.#nameFor(operation);
      const destination = this.#begun(name);
      const { causality } = operation;
      return destination.run(
        causality === undefined || name === this.#options.default
          ? operation
          : { ...operation, causality: causality.of(name) },
      );
    } catch (error) {
      // A rule's function and `open` may throw.
      return Promise.reject(error);
    }
  }

  stats(): PoolStats {
    const all = this.#all.map((one) => ({ one, stats: one.pool.stats() }));
    const details = all.map(({ one, stats }) => [
      one.name,
      Object.freeze({ running: one.running, calls: one.calls, stats }),
    ]);
    const own = { open: this.#onDemand.all.length, destinations: Object.freeze(Object.fromEntries(details)) };
    const nodes = all.flatMap(({ one, stats }) => nodesOf(one.name, stats));
    return Object.freeze({
      name: this.name,
      ...sumOfPools(all.map(({ stats }) => stats)),
      policies: Object.freeze([Object.freeze({ ...own, policy: "destinations" })]),
      nodes: Object.freeze(nodes),
    });
  }

  /** Its own, and those of its destinations, each under the destination's name. */
  controls(): readonly Control[] {
    const behind = this.#all.flatMap(({ name, pool }) =>
      (pool.controls?.() ?? []).map((control) => control.as(`${name}/${control.name}`)),
    );
    const of = { policy: "destinations", pool: this.name, events: this.events };
    return [new Control("destinations", of, this.#control), ...behind];
  }

  /** All of them for a call of which nobody says where it goes: the default is needed, or without one any. */
  leadsTo(operation: Operation<unknown>): Destinations {
    const named = this.#named(operation)?.name;
    const all = named === undefined ? [...this.#fixed.keys()] : [named];
    const { default: byDefault } = this.#options;
    return {
      all,
      needed: named === undefined && byDefault !== false ? [byDefault] : all,
      nodes: (destination) =>
        this.#all.flatMap(({ name, pool }) => (name === destination ? nodesOf(name, pool.stats()) : [])),
    };
  }

  interrupt(reason: Error, whom?: Interrupted): void {
    for (const { pool } of this.#fixed.values()) pool.interrupt(reason, whom);
    this.#onDemand.interrupt(reason, whom);
  }

  /** Of the destinations that there always are. Rejects with the reason of the first that is not ready. */
  async ready(): Promise<void> {
    if (this.#closing !== undefined) throw new PoolClosedError(this.name);
    const outcomes = await Promise.allSettled([...this.#fixed.values()].map(async ({ pool }) => pool.ready?.()));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  close(options?: CloseOptions): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  get #all(): readonly OpenDestination[] {
    return [...this.#fixed.values(), ...this.#onDemand.all];
  }

  #nameFor(operation: Operation<unknown>): string {
    const { default: byDefault } = this.#options;
    const { name, why } = this.#named(operation) ?? { name: byDefault, why: "no rule fits" };
    if (name === false) throw new UsageError(this.name, "no rule says where the call goes, and there is no default");
    operation.trace?.note("destinations", `sent to ${name}`, { why });
    return name;
  }

  /** Where a call goes by name or by a rule, and why; undefined where nobody says it. */
  #named(operation: Operation<unknown>): { readonly name: string; readonly why: string } | undefined {
    const { destination } = operation;
    if (destination !== undefined) return { name: destination, why: "the caller said so" };
    const { rules } = this.#options;
    if (rules.length === 0) return undefined;
    const call = ruleCall(operation);
    for (const [index, { fits, to }] of rules.entries()) {
      const name = fits(call) ? to(call) : undefined;
      if (name !== undefined) return { name, why: `rule ${index}` };
    }
    return undefined;
  }

  #begun(name: string): OpenDestination {
    const fixed = this.#fixed.get(name);
    if (fixed === undefined) {
      if (this.#options.open !== undefined && isName(name)) return this.#onDemand.begin(name);
      throw new UsageError(this.name, `there is no destination ${quoted(name)}`);
    }
    fixed.begin();
    return fixed;
  }

  async #close(options?: CloseOptions): Promise<void> {
    const fixed = [...this.#fixed.values()].map((one) => one.close(options));
    await Promise.all([...fixed, this.#onDemand.close(options)]);
    this.events.emit("pool:closed", { pool: this.name });
  }
}

/** Nodes under the name of their destination. */
function nodesOf(destination: string, { nodes }: PoolStats): readonly NodeStats[] {
  return nodes.map((node) => Object.freeze({ ...node, name: `${destination}/${node.name}` }));
}
