/**
 * Sends writes to the primary and reads to the replicas in turn, past whatever is down, through failovers.
 *
 * Stands inside `retry` and outside each node's own policies. It does not wait between nodes: where another node can
 * serve a read, the caller does not notice; where no node can, calls wait for one, bounded in time and number.
 */
import {
  type Causality,
  checkOrder,
  type CloseOptions,
  type Connection,
  type Dialect,
  Events,
  type Failure,
  failureOf,
  type Interrupted,
  type Layer,
  NodeLostError,
  NoHealthyNodeError,
  type Operation,
  operationContext,
  type Pool,
  PoolClosedError,
  type PoolStats,
} from "@breakwater/core";
import { Chooser, needsPrimary } from "./chooser.ts";
import { Destinations } from "./destination.ts";
import "./events.ts";
import { Freshness, isFree } from "./freshness.ts";
import { Membership, registerTopology } from "./membership.ts";
import type { RouterNode } from "./node.ts";
import { type CheckedRouterOptions, checkRouterOptions, type RouterOptions } from "./options.ts";
import { Topology } from "./topology.ts";
import { WaitingRoom } from "./waiting-room.ts";

const LAYER: Layer = {
  name: "router",
  outside: {
    "circuit-breaker":
      "a breaker around the router would cut off every node for the failures of one; give each node its own",
  },
};

/** Longest that a look into the catalog may take, in milliseconds. */
const LOOK_UP_MS = 5_000;

/**
 * Makes one pool of a primary and its replicas.
 * @throws OptionError when an option is unknown or out of range, `replicas` is empty, or a pool is given twice.
 */
export function router(options: RouterOptions): Pool {
  return new Router(checkRouterOptions(options));
}

class Router implements Pool {
  readonly name: string;
  readonly dialect: Dialect;
  readonly events: Events = new Events();
  readonly layers: readonly Layer[];
  readonly #options: CheckedRouterOptions;
  readonly #topology: Topology;
  readonly #membership: Membership;
  readonly #waiting: WaitingRoom;
  readonly #freshness: Freshness;
  readonly #destinations: Destinations;
  readonly #chooser: Chooser;
  #rerouted = 0;
  #refused = 0;
  #closing: Promise<void> | undefined;

  constructor(options: CheckedRouterOptions) {
    const pools = options.nodes.map(({ pool }) => pool);
    this.name = options.name;
    this.dialect = (pools[0] as Pool).dialect;
    for (const pool of pools) checkOrder(LAYER.name, pool);
    this.layers = [
      LAYER,
      ...new Map(pools.flatMap((pool) => pool.layers).map((layer) => [layer.name, layer])).values(),
    ];
    this.#options = options;
    const { clock, balancer } = options;
    this.#freshness = new Freshness(clock, options.freshnessWaitMs);
    this.#waiting = new WaitingRoom(clock, options.maxWaiting);
    const own = { ...options, events: this.events };
    this.#topology = new Topology({ ...own, changed: () => this.#waiting.wake() }, options.nodes);
    this.#membership = new Membership(this.#topology, own);
    this.#destinations = new Destinations(this.dialect, options, (question) => this.#ask(question));
    this.#chooser = new Chooser(this.#topology, balancer, this.#freshness, own);
    registerTopology(this.events, this.#membership);
  }

  async execute<T>(operation: Operation<T>): Promise<T> {
    this.#membership.start();
    let wanted = this.#destinations.of(operation);
    let tried: RouterNode[] = [];
    let refusals = 0;
    // The last node did not take the call for a reason that its next probe settles: the call waits for that.
    let turnedAway = false;
    let last: unknown;
    const { clock } = this.#options;
    const waitUntil = Math.min(operation.deadline, clock.now() + this.#options.failoverWaitMs);
    for (;;) {
      if (this.#closing !== undefined) throw new PoolClosedError(this.name);
      const { causality } = wanted.operation;
      const node =
        causality === undefined || isFree(wanted.operation, causality)
          ? this.#chooser.pick(wanted, tried)
          : await this.#chooser.pickFresh(wanted, causality, tried);
      if (node === undefined) {
        const another = tried.length > 0 && last !== undefined && this.#chooser.pick(wanted, []) !== undefined;
        // Every node that could serve has been tried: whoever stands outside decides whether to begin anew.
        if (another && !turnedAway) throw last;
        if (!another) await this.#waitForNode(wanted.operation, waitUntil, last);
        turnedAway = false;
        tried = [];
        continue;
      }
      const { gate } = node;
      if (gate !== undefined && !(await this.#enter(gate, wanted.operation, waitUntil, last))) continue;
      let well = true;
      try {
        const value = await this.#run(node, wanted.operation);
        node.failures = 0;
        if (causality?.monotonic === true) await this.#served(wanted.operation, causality, node);
        return value;
      } catch (error) {
        const failure = failureOf(error);
        well = failure.blames !== "node";
        const moves = canMove(wanted.operation, failure);
        const refused = failure.retry === "primary";
        if (!refused) this.#learn(node, failure, error);
        if (!moves || clock.now() >= operation.deadline) throw error;
        if (refused) {
          if (!this.#refusedBy(node, wanted.operation, failure, refusals++)) throw error;
          wanted = { operation: { ...wanted.operation, access: "write" }, node: undefined };
        }
        turnedAway = wasTurnedAway(failure, error);
        last = error;
        tried.push(node);
        this.#rerouted += 1;
        const { label } = operation;
        this.events.emit("router:rerouted", { pool: this.name, label, node: node.name, reason: failure.reason });
      } finally {
        gate?.leave(well);
      }
    }
  }

  stats(): PoolStats {
    const nodes = this.#topology.nodes.map((node) => node.stats());
    const sum = (of: (stats: PoolStats) => number): number => nodes.reduce((total, node) => total + of(node.pool), 0);
    const own = {
      policy: "router",
      rerouted: this.#rerouted,
      readsRefused: this.#refused,
      refusedTexts: this.#destinations.refusedTexts,
      sentToPrimary: this.#chooser.sentToPrimary,
      waitingForNode: this.#waiting.size + this.#waitingAtGates(),
      nodes: Object.freeze(Object.fromEntries(this.#topology.nodes.map((node) => [node.name, node.details()]))),
    };
    return Object.freeze({
      name: this.name,
      total: sum((stats) => stats.total),
      idle: sum((stats) => stats.idle),
      active: sum((stats) => stats.active),
      waiting: sum((stats) => stats.waiting),
      max: sum((stats) => stats.max),
      policies: Object.freeze([Object.freeze(own)]),
      nodes: Object.freeze(nodes),
    });
  }

  interrupt(reason: Error, whom?: Interrupted): void {
    for (const node of this.#topology.nodes) node.pool.interrupt(reason, whom);
  }

  close(options?: CloseOptions): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options?: CloseOptions): Promise<void> {
    this.#membership.stop();
    this.#waiting.refuseAll(new PoolClosedError(this.name));
    await Promise.all(this.#topology.nodes.map((node) => node.pool.close(options)));
    await this.#membership.leaving();
    this.#topology.stop();
  }

  async #run<T>(node: RouterNode, operation: Operation<T>): Promise<T> {
    const { clock, balancer } = this.#options;
    const startedMs = clock.now();
    if (node.begin(startedMs)) this.#topology.quiet(node);
    try {
      const value = await node.pool.execute(operation);
      if (balancer.answered !== undefined) {
        const endedMs = clock.now();
        balancer.answered(node, endedMs - startedMs, endedMs);
      }
      return value;
    } finally {
      node.end();
    }
  }

  /** Notes what a call that was served means to its session. */
  async #served(operation: Operation<unknown>, causality: Causality, node: RouterNode): Promise<void> {
    const { primary } = this.#topology;
    if (operation.access === "read") causality.lastRead = node.life;
    // A session's token must be whole when the caller has its answer: it may be sent to another process at once.
    else if (causality.unplaced && primary !== undefined) {
      await this.#freshness.place(causality, primary, this.name, this.events);
    }
  }

  /** What a failed call says of its node. */
  #learn(node: RouterNode, failure: Failure, error: unknown): void {
    const { blames, phase, connection } = failure;
    if (wasTurnedAway(failure, error)) {
      this.#topology.lost(node);
      return;
    }
    const ran = phase === "running" || phase === "committing";
    if (ran && node.state !== "down" && (blames === "node" || blames === "load")) this.#topology.failed(node);
    if (blames !== "node" || phase === "acquire") return;
    if (phase === "connect") this.#topology.unreachable(node, error);
    else if (connection === "destroy") this.#topology.lost(node);
    else this.#topology.suspect(node);
  }

  /** A node refused a call as a standby does. False when the call itself is wrong, wherever it runs. */
  #refusedBy(node: RouterNode, operation: Operation<unknown>, { reason }: Failure, before: number): boolean {
    const believedPrimary = node.role === "primary";
    // A transaction that promised not to write has broken its word; and who is refused twice is not refused for the node.
    if (
      believedPrimary &&
      (before > 0 || (operation.kind === "transaction" && operation.transaction.readOnly === true))
    )
      return false;
    if (believedPrimary) this.#topology.refusedWrite(node);
    if (operation.access === "read") {
      this.#refused += 1;
      if (!believedPrimary) this.#destinations.refused(operation);
      this.events.emit("router:read-refused", { pool: this.name, label: operation.label, node: node.name, reason });
    } else if (!believedPrimary) this.#topology.suspect(node);
    return true;
  }

  #enter(
    gate: NonNullable<RouterNode["gate"]>,
    operation: Operation<unknown>,
    limit: number,
    last: unknown,
  ): Promise<boolean> {
    const onLimit = (): Error => this.#waitedOut(operation, last);
    if (this.#waiting.size + this.#waitingAtGates() >= this.#options.maxWaiting) throw onLimit();
    return gate.enter({ clock: this.#options.clock, limit, signal: operation.signal, onLimit });
  }

  #waitingAtGates(): number {
    if (this.#topology.starting === 0) return 0;
    return this.#topology.nodes.reduce((sum, { gate }) => sum + (gate?.waiting ?? 0), 0);
  }

  async #waitForNode(operation: Operation<unknown>, until: number, last: unknown): Promise<void> {
    const waitedOut = (): Error => this.#waitedOut(operation, last);
    if (this.#waiting.full || until <= this.#options.clock.now()) throw waitedOut();
    await this.#waiting.change(until, operation.signal, waitedOut);
  }

  #waitedOut(operation: Operation<unknown>, last: unknown): Error {
    const states = this.#topology.nodes.map((node) => `${node.name} ${node.state}`).join(", ");
    return new NoHealthyNodeError(this.name, needsPrimary(operation) ? "primary" : "any node", states, last);
  }

  /** Asks the catalog, where the schema is newest. */
  async #ask<T>(question: (connection: Connection) => Promise<T>): Promise<T> {
    const node = this.#topology.primary ?? this.#topology.readers[0];
    if (node === undefined) throw new NoHealthyNodeError(this.name, "any node", "none is open");
    return node.pool.execute<T>({
      ...operationContext("read"),
      kind: "query",
      statement: { text: "" },
      consistency: "eventual",
      deadline: this.#options.clock.now() + LOOK_UP_MS,
      run: question,
    });
  }
}

/**
 * Whether the node was not even asked: its circuit is open, which an answered probe closes, or the call was sent back when
 * connections were lost. Isolation by hand is no such thing: no probe ends it.
 */
function wasTurnedAway({ phase, blames, retryAfterMs }: Failure, error: unknown): boolean {
  if (error instanceof NodeLostError) return phase === "connect";
  return phase === "acquire" && blames === "node" && retryAfterMs !== undefined;
}

/** Whether a call that failed on one node may be sent to another, without any wait. */
function canMove(operation: Operation<unknown>, failure: Failure): boolean {
  if (failure.effect === "unknown" && !operation.idempotent) return false;
  return failure.retry === "other-node" || failure.retry === "primary";
}
