/**
 * The node for a call, among those that are well: by what the call may do, how fresh it must be, and the balancer.
 */
import type { Causality, Clock, Events, HedgedGo, Operation } from "@breakwater/core";
import type { Balancer } from "./balancer.ts";
import type { Destination } from "./destination.ts";
import { type Freshness, includes, isAfter, isBefore, isFree } from "./freshness.ts";
import type { RouterNode } from "./node.ts";
import type { Topology } from "./topology.ts";

/** What the node of a second go must be other than. */
export type OtherNode = NonNullable<HedgedGo["other"]>;

const NONE: readonly RouterNode[] = [];

/** Whether only the primary will do. */
export function needsPrimary({ access, consistency }: Operation<unknown>): boolean {
  return access === "write" || consistency === "strong";
}

export class Chooser {
  readonly #topology: Topology;
  readonly #balancer: Balancer;
  readonly #freshness: Freshness;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #events: Events;
  /** Session reads that no replica was far enough for. */
  sentToPrimary = 0;

  constructor(
    topology: Topology,
    balancer: Balancer,
    freshness: Freshness,
    { clock, name, events }: { readonly clock: Clock; readonly name: string; readonly events: Events },
  ) {
    this.#topology = topology;
    this.#balancer = balancer;
    this.#freshness = freshness;
    this.#clock = clock;
    this.#name = name;
    this.#events = events;
  }

  /** The node for a call, where nobody has to be asked for it. */
  atOnce(destination: Destination<unknown>): RouterNode | undefined {
    const { operation, node } = destination;
    const { causality } = operation;
    if (causality === undefined || isFree(operation, causality)) return this.pick(destination, NONE);
    const { primary, readers, starting } = this.#topology;
    const { point, monotonic, unplaced } = causality;
    // Whatever is out of the ordinary takes the long way.
    if (node !== undefined || monotonic || unplaced || starting > 0 || readers.length === 0) return undefined;
    if (primary !== undefined && (isBefore(point, primary) || isAfter(point, primary))) return undefined;
    const first = this.#balance(readers);
    return point === undefined || first === primary || includes(first.observed, point) ? first : undefined;
  }

  /** The node for a call, past those that have been tried, asking whom it takes; undefined when there is none. */
  choose(destination: Destination<unknown>, tried: readonly RouterNode[]): Promise<RouterNode | undefined> {
    const { operation } = destination;
    const { causality } = operation;
    if (causality === undefined || isFree(operation, causality)) return Promise.resolve(this.pick(destination, tried));
    const choosing = this.#chooseFresh(destination, causality, tried);
    return operation.trace === undefined ? choosing : choosing.finally(operation.trace.wait("router", "freshness"));
  }

  /** The node for a call, past those that have been tried; undefined when there is none. */
  pick({ operation, node }: Destination<unknown>, tried: readonly RouterNode[]): RouterNode | undefined {
    if (node !== undefined) return this.#named(node).find((each) => !tried.includes(each));
    const { primary, readers, starting } = this.#topology;
    if (!needsPrimary(operation)) {
      // The usual way: whatever the number of nodes, it costs the same.
      if (tried.length === 0 && starting === 0 && readers.length > 0) return this.#balance(readers);
      const open = readers.filter((each) => !tried.includes(each));
      const free = open.filter(({ gate }) => gate === undefined || gate.free);
      if (free.length > 0) return this.#balance(free);
      if (open.length > 0) return this.#balance(open);
    }
    return primary !== undefined && !tried.includes(primary) ? primary : undefined;
  }

  /** A node for a read that is under way elsewhere; undefined when there is none that is well and fresh enough. */
  async other(
    { operation, node }: Destination<unknown>,
    { nodes, primary: allowed }: OtherNode,
  ): Promise<RouterNode | undefined> {
    const { primary, readers } = this.#topology;
    if (node !== undefined || needsPrimary(operation)) return undefined;
    const among = allowed && primary !== undefined && !readers.includes(primary) ? [...readers, primary] : readers;
    const open = among.filter(
      (each) => !nodes.includes(each.name) && each.gate === undefined && (allowed || each !== primary),
    );
    const { causality } = operation;
    if (open.length === 0) return undefined;
    if (causality === undefined || isFree(operation, causality)) return this.#balance(open);
    const { point, unplaced } = causality;
    if (point === undefined || unplaced || primary === undefined) return undefined;
    if (isBefore(point, primary) || isAfter(point, primary)) return undefined;
    return open.includes(primary) ? primary : this.#freshness.choose(operation, point, open);
  }

  /** The node for a read that must include what its session has written and seen. */
  async #chooseFresh(
    destination: Destination<unknown>,
    causality: Causality,
    tried: readonly RouterNode[],
  ): Promise<RouterNode | undefined> {
    const { primary, readers, starting } = this.#topology;
    const { operation, node: name } = destination;
    const among = name === undefined ? readers : this.#named(name);
    const untried = tried.length === 0 ? among : among.filter((node) => !tried.includes(node));
    const free = starting === 0 ? untried : untried.filter(({ gate }) => gate === undefined || gate.free);
    const open = free.length > 0 ? free : untried;
    if (primary !== undefined && isAfter(causality.point, primary)) {
      // Another process has seen a promotion that we have not. If it was in this cluster it is found at once; a token of
      // a cluster that is no more must not hold its bearer up for long.
      this.#topology.suspect(primary);
      const found = await this.#freshness.newer(() => this.#topology.primary, causality, operation);
      if (found) return this.#chooseFresh(destination, causality, tried);
    }
    // The primary has everything: there is nothing to find out.
    const onlyPrimary = primary !== undefined && open.length === 1 && open[0] === primary;
    if (onlyPrimary && !isBefore(causality.point, primary)) return primary;
    // Whoever was turned away everywhere asks nothing more of servers that have too much to do.
    if (open.length === 0 && tried.length > 0)
      return this.pick({ operation: { ...operation, consistency: "strong" }, node: undefined }, tried);
    // A session that must not go back in time stays where it read last; to move, it needs all there was to see there.
    const stay = causality.monotonic ? open.find((node) => node.life === causality.lastRead) : undefined;
    const moves = causality.monotonic && causality.lastRead !== undefined && stay === undefined;
    let certain = !moves && !causality.unplaced;
    if (primary !== undefined && (!certain || isBefore(causality.point, primary))) {
      certain = await this.#freshness.place(causality, primary, operation, { name: this.#name, events: this.#events });
    }
    const { point } = causality;
    if (certain && open.length > 0) {
      const first = stay ?? this.#balance(open);
      if (point === undefined || includes(first.observed, point)) return first;
      const chosen = await this.#freshness.choose(operation, point, stay === undefined ? from(open, first) : [stay]);
      if (chosen !== undefined) return chosen;
    }
    // No replica is known to be far enough. The primary always is.
    if (open.length > 0) this.sentToPrimary += 1;
    return this.pick({ operation: { ...operation, consistency: "strong" }, node: undefined }, tried);
  }

  #named(name: string): readonly RouterNode[] {
    return this.#topology.nodes.filter((node) => node.name === name && node.open);
  }

  #balance(nodes: readonly RouterNode[]): RouterNode {
    return this.#balancer.pick(nodes, this.#balancer.answered === undefined ? 0 : this.#clock.now());
  }
}

/** The same nodes, beginning with one of them. */
function from(nodes: readonly RouterNode[], first: RouterNode): readonly RouterNode[] {
  const at = nodes.indexOf(first);
  return [...nodes.slice(at), ...nodes.slice(0, at)];
}
