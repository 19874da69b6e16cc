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
  type Dialect,
  Events,
  type Interrupted,
  type Layer,
  type Operation,
  type PolicyControl,
  type Pool,
  PoolClosedError,
  type PoolStats,
  sumOfMetrics,
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
  type Limits,
} from "./options.ts";

const OWN = "what it knows is true of one database; give each destination its own";
const LAYER: Layer = {
  name: "destinations",
  outside: {
    "adaptive-limit": OWN,
    "circuit-breaker": OWN,
    coalesce: OWN,
    "commit-resolution": OWN,
    hedge: OWN,
    throttle: OWN,
  },
};

/** What a call relies on wherever it goes: the face promises it for all destinations or for none. */
const PROMISES: readonly string[] = ["commit-resolution"];

/**
 * Makes one pool of several databases.
 * @throws OptionError when an option is unknown or out of range, there is no destination, or a pool is given twice.
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
    const { to, name, clock, limits } = options;
    const pools = [...to.values()];
    const model = pools[0] as Pool;
    for (const pool of pools) checkOrder(LAYER.name, pool);
    this.name = name;
    this.dialect = model.dialect;
    const all = [...new Map(pools.flatMap((pool) => pool.layers).map((layer) => [layer.name, layer])).values()];
    const everywhere = (layer: string): boolean => pools.every((pool) => pool.layers.some((one) => one.name === layer));
    this.layers = [LAYER, ...all.filter((layer) => !PROMISES.includes(layer.name) || everywhere(layer.name))];
    this.#options = options;
    this.#fixed = new Map([...to].map(([key, pool]) => [key, new OpenDestination(key, pool, this.events, clock)]));
    this.#onDemand = new OnDemand(options, this.events, model, PROMISES.filter(everywhere));
    this.#control = adjustable<Limits>({
      owner: "destinations",
      options: limits,
      names: ["maxOpen", "idleMs"],
      check: checkLimits,
      apply: (changed) => this.#onDemand.limit(changed),
      actions: { close: (destination: string) => this.#onDemand.shut(destination) },
    });
  }

  execute<T>(operation: Operation<T>): Promise<T> {
    try {
      if (this.#closing !== undefined) throw new PoolClosedError(this.name);
      const name = this.#nameFor(operation);
      const destination = this.#fixed.get(name) ?? this.#other(name);
      const { causality } = operation;
      destination.begin();
      const ended = destination.pool.execute(
        causality === undefined || name === this.#options.default
          ? operation
          : { ...operation, causality: causality.of(name) },
      );
      const end = (): void => destination.end();
      ended.then(end, end);
      return ended;
    } catch (error) {
      // A rule's function and `open` may throw.
      return Promise.reject(error);
    }
  }

  stats(): PoolStats {
    const all = this.#all.map((one) => ({ one, stats: one.pool.stats() }));
    const sum = (of: (stats: PoolStats) => number): number => all.reduce((total, { stats }) => total + of(stats), 0);
    const details = all.map(({ one, stats }) => [
      one.name,
      Object.freeze({ running: one.running, calls: one.calls, stats }),
    ]);
    const own = { open: this.#onDemand.all.length, destinations: Object.freeze(Object.fromEntries(details)) };
    const nodes = all.flatMap(({ one, stats }) =>
      stats.nodes.map((node) => Object.freeze({ ...node, name: `${one.name}/${node.name}` })),
    );
    return Object.freeze({
      name: this.name,
      total: sum(({ total }) => total),
      idle: sum(({ idle }) => idle),
      active: sum(({ active }) => active),
      waiting: sum(({ waiting }) => waiting),
      connecting: sum(({ connecting }) => connecting),
      max: sum(({ max }) => max),
      policies: Object.freeze([Object.freeze({ ...own, policy: "destinations" })]),
      nodes: Object.freeze(nodes),
      metrics: sumOfMetrics(all.map(({ stats }) => stats.metrics)),
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

  interrupt(reason: Error, whom?: Interrupted): void {
    for (const { pool } of this.#all) pool.interrupt(reason, whom);
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
    const named = operation.destination;
    if (named !== undefined) return noted(operation, named, "the caller said so");
    const { rules, default: byDefault } = this.#options;
    const call = rules.length === 0 ? undefined : ruleCall(operation);
    for (const [index, { fits, to }] of rules.entries()) {
      const found = call !== undefined && fits(call) ? to(call) : undefined;
      if (found !== undefined) return noted(operation, found, `rule ${index}`);
    }
    if (byDefault !== false) return noted(operation, byDefault, "no rule fits");
    throw new UsageError(this.name, "no rule says where the call goes, and there is no default");
  }

  #other(name: string): OpenDestination {
    if (this.#options.open !== undefined && typeof name === "string" && name !== "") return this.#onDemand.of(name);
    throw new UsageError(this.name, `there is no destination ${JSON.stringify(name)}`);
  }

  async #close(options?: CloseOptions): Promise<void> {
    const fixed = [...this.#fixed.values()].map((one) => one.close(options));
    await Promise.all([...fixed, this.#onDemand.close(options)]);
    this.events.emit("pool:closed", { pool: this.name });
  }
}

/** Writes down where a call goes, and why, where that is asked for. */
function noted(operation: Operation<unknown>, destination: string, why: string): string {
  operation.trace?.note("destinations", `sent to ${destination}`, { why });
  return destination;
}
