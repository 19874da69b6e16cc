/**
 * Who belongs to a router: nodes come and go while it runs, by its owner's hand or by a source's word.
 */
import { type Clock, type CloseOptions, type Events, type NodeStats, OptionError, type Pool } from "@breakwater/core";
import type { NodeOptions, RouterNode } from "./node.ts";
import { checkNode, checkWeight, nodeOf, type RouterOptions } from "./options.ts";
import type { NodeDescription, TopologySource } from "./sources/source.ts";
import type { Topology } from "./topology.ts";

/** A hand on the nodes of a router. */
export interface RouterTopology {
  /** How the nodes stand. */
  readonly nodes: readonly NodeStats[];
  /**
   * Adds a node. What it is is observed; until then it counts as a replica.
   * @throws OptionError when it is none, its name is taken, or its pool speaks to another kind of database.
   */
  add(node: Pool | NodeOptions): void;
  /**
   * Takes a node out: no new calls at once, its pool is closed when those that run have ended, at most `drainMs` later. It is
   * watched until then: what runs there is interrupted when it turns out to be a primary no more.
   * @throws OptionError when there is no node of that name, or no other.
   */
  remove(name: string, options?: CloseOptions): Promise<void>;
  /**
   * Sends no new calls to a node; resolves when none runs there any more. Writes to a draining primary wait for another.
   * @throws OptionError when there is no node of that name.
   */
  drain(name: string): Promise<void>;
  /** Ends `drain`. @throws OptionError when there is no node of that name. */
  resume(name: string): void;
}

/** Longest that a node's calls may take to end when it is taken out, in milliseconds. */
const DRAIN_MS = 10_000;

const handles = new WeakMap<Events, RouterTopology>();

/** Makes a router known to `topologyOf`. */
export function registerTopology(events: Events, topology: RouterTopology): void {
  handles.set(events, topology);
}

/**
 * The nodes of the router in a stack, whatever policies stand around it: a stack has one bus of events.
 * @throws OptionError when there is no router in it.
 */
export function topologyOf(pool: Pool): RouterTopology {
  const topology = handles.get(pool?.events);
  if (topology === undefined) throw new OptionError("pool", pool, "a stack with a router in it");
  return topology;
}

interface MembershipOptions {
  readonly name: string;
  readonly events: Events;
  readonly clock: Clock;
  readonly source: TopologySource | undefined;
  readonly connect: RouterOptions["connect"] | undefined;
}

export class Membership implements RouterTopology {
  readonly #topology: Topology;
  readonly #options: MembershipOptions;
  readonly #leaving = new Set<Promise<void>>();
  #stopSource: (() => void) | undefined;
  #started = false;

  constructor(topology: Topology, options: MembershipOptions) {
    this.#topology = topology;
    this.#options = options;
  }

  get nodes(): readonly NodeStats[] {
    return this.#topology.nodes.map((node) => node.stats());
  }

  /** Begins to watch the nodes and the source, at the first call. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#topology.start();
    const { source, events, name } = this.#options;
    this.#stopSource = source?.start({
      nodes: (nodes) => this.#told(nodes),
      failed: (error) => events.emit("router:source-failed", { pool: name, error }),
    });
  }

  add(given: Pool | NodeOptions): void {
    this.#add(nodeOf("node", given, "replica"));
  }

  async remove(name: string, options?: CloseOptions): Promise<void> {
    const node = this.#find(name);
    if (this.#topology.nodes.length === 1) throw new OptionError("name", name, "the name of a node beside others");
    await this.#remove(node, options);
  }

  async drain(name: string): Promise<void> {
    const node = this.#find(name);
    node.draining = true;
    this.#topology.arrange();
    await node.whenIdle();
  }

  resume(name: string): void {
    this.#find(name).draining = false;
    this.#topology.arrange();
  }

  /** Gives a node another share of the reads. @throws OptionError for an unknown name, or a weight that is not above 0. */
  weigh(name: string, weight: number): void {
    const node = this.#find(name);
    node.weight = checkWeight("weight", weight);
    this.#topology.arrange(true);
  }

  /** Resolves when those that were taken out are closed. */
  async leaving(): Promise<void> {
    await Promise.allSettled(this.#leaving);
  }

  stop(): void {
    this.#stopSource?.();
    this.#started = true;
    this.#topology.halt();
  }

  #add(node: RouterNode): void {
    const { events, name } = this.#options;
    checkNode("node", node, this.#topology.nodes);
    if (this.#topology.nodes.some((other) => other.name === node.name))
      throw new OptionError("node", node.name, "a node of another name than those that are there");
    this.#topology.add(node);
    events.emit("router:node-added", { pool: name, node: node.name });
  }

  #remove(node: RouterNode, options?: CloseOptions): Promise<void> {
    const forget = this.#topology.remove(node);
    this.#options.events.emit("router:node-removed", { pool: this.#options.name, node: node.name });
    const left = this.#close(node, options).finally(() => {
      forget();
      this.#leaving.delete(left);
    });
    this.#leaving.add(left);
    return left;
  }

  /** A pool that closes refuses those who wait for a connection: first everybody may end who was sent there. */
  async #close(node: RouterNode, { drainMs = DRAIN_MS }: CloseOptions = {}): Promise<void> {
    const { clock } = this.#options;
    const end = clock.now() + drainMs;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(drainMs, resolve, true);
      void node.whenIdle().then(() => {
        timer.cancel();
        resolve();
      });
    });
    await node.pool.close({ drainMs: Math.max(0, end - clock.now()) });
  }

  #find(name: string): RouterNode {
    const node = this.#topology.nodes.find((each) => each.name === name);
    if (node !== undefined) return node;
    const names = this.#topology.nodes.map((each) => each.name).join(", ");
    throw new OptionError("name", name, `the name of a node (${names})`);
  }

  /** Brings the nodes in line with what the source says. New ones come before old ones go. */
  #told(described: readonly NodeDescription[]): void {
    const { connect, events, name: pool } = this.#options;
    const names = new Set(described.map(({ name }) => name));
    for (const description of described) {
      const { name, role = "replica", weight, zone } = description;
      if (this.#topology.nodes.some((node) => node.name === name)) continue;
      try {
        const made = connect?.(description);
        if (made === undefined) continue;
        const options = {
          pool: made,
          name,
          ...(weight !== undefined && { weight }),
          ...(zone !== undefined && { zone }),
        };
        this.#add(nodeOf("node", options, role));
      } catch (error) {
        events.emit("router:source-failed", { pool, error });
      }
    }
    const gone = this.#topology.nodes.filter((node) => !names.has(node.name));
    // Were none to stay, none of the new ones could be made.
    if (gone.length === this.#topology.nodes.length) return;
    for (const node of gone) void this.#remove(node).catch(() => undefined);
  }
}
