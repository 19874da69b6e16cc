/**
 * Sends writes to the primary and reads to the replicas in turn, past whatever is down, through failovers.
 *
 * Stands inside `retry` and outside each node's own policies. It does not wait between nodes: where another node can
 * serve a read, the caller does not notice; where no node can, calls wait for one, bounded in time and number.
 */
import {
  abortReason,
  checkOrder,
  type CloseOptions,
  type Control,
  type Dialect,
  Events,
  type Failure,
  failureOf,
  type HedgedGo,
  type Interrupted,
  type Layer,
  NoHealthyNodeError,
  type Operation,
  type PolicyControl,
  type Pool,
  type PoolBounds,
  PoolClosedError,
  type PoolStats,
  UsageError,
} from "@breakwater/core";
import { Chooser, type OtherNode } from "./chooser.ts";
import { controlsBehind, routerControl } from "./control.ts";
import { tellDecision } from "./decision.ts";
import { type Destination, Destinations } from "./destination.ts";
import "./events.ts";
import { Freshness } from "./freshness.ts";
import { learn } from "./learning.ts";
import { lookUp } from "./look-up.ts";
import { Membership, registerTopology } from "./membership.ts";
import { NodeWait } from "./node-wait.ts";
import type { RouterNode, Watch } from "./node.ts";
import { type CheckedRouterOptions, checkRouterOptions, type RouterOptions } from "./options.ts";
import { canMove, Route, wasTurnedAway } from "./route.ts";
import { routerStats } from "./stats.ts";
import { Topology } from "./topology.ts";

const LAYER: Layer = {
  name: "router",
  outside: {
    "circuit-breaker":
      "a breaker around the router would cut off every node for the failures of one; give each node its own",
  },
};

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
  readonly #waiting: NodeWait;
  readonly #control: PolicyControl;
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
    this.#freshness = new Freshness(clock, options.limits);
    this.#waiting = new NodeWait(options, () => this.#topology);
    const own = { ...options, events: this.events };
    this.#topology = new Topology({ ...own, changed: () => this.#waiting.wake() }, options.nodes);
    this.#membership = new Membership(this.#topology, own);
    this.#destinations = new Destinations(this.dialect, options, (question) =>
      lookUp(this.#topology, options, question),
    );
    this.#chooser = new Chooser(this.#topology, balancer, this.#freshness, own);
    registerTopology(this.events, this.#membership);
    this.#control = routerControl(options.limits, this.#membership);
  }

  execute<T>(operation: Operation<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(new PoolClosedError(this.name));
    this.#membership.start();
    try {
      const wanted = this.#destinations.of(operation);
      const { hedged } = operation;
      if (hedged?.other !== undefined) return this.#again(wanted, hedged, hedged.other);
      const node = this.#chooser.atOnce(wanted);
      // Nearly every call: the node is known, takes calls freely, and serves it.
      if (node === undefined || node.gate !== undefined) return this.#route(wanted, node);
      return this.#run(node, wanted, true);
    } catch (error) {
      // A rule's function may throw.
      return Promise.reject(error);
    }
  }

  /** The second go at a hedged read: on another node than the first, or nowhere. */
  async #again<T>(wanted: Destination<T>, go: HedgedGo, other: OtherNode): Promise<T> {
    const node = await this.#chooser.other(wanted, other);
    if (node === undefined || this.#closing !== undefined || !go.sentTo(node.name))
      throw new NoHealthyNodeError(this.name, "any node", "none is left for a second go");
    return this.#run(node, wanted).catch((error: unknown) => {
      learn(this.#topology, node, failureOf(error), error);
      throw error;
    });
  }

  /** The long way: chooses, waits, and chooses again; from a node that was chosen, or from the first failure, if any. */
  async #route<T>(
    destination: Destination<T>,
    chosen: RouterNode | undefined,
    failed?: { readonly node: RouterNode; readonly error: unknown },
  ): Promise<T> {
    const { clock, limits } = this.#options;
    const { deadline } = destination.operation;
    const route = new Route(destination, Math.min(deadline, clock.now() + limits.failoverWaitMs));
    if (failed !== undefined) this.#moveOn(route, failed.node, failed.error);
    for (let next = chosen; ; next = undefined) {
      if (this.#closing !== undefined) throw new PoolClosedError(this.name);
      const { wanted, tried } = route;
      const node = next ?? (await this.#chooser.choose(wanted, tried));
      if (node === undefined) {
        const another = tried.length > 0 && this.#chooser.pick(wanted, []) !== undefined;
        // Every node that could serve has been tried: whoever stands outside decides whether to begin anew.
        if (another && !route.turnedAway) throw route.last;
        if (!another) await this.#waiting.change(route);
        route.begin();
        continue;
      }
      const { gate } = node;
      if (gate !== undefined && !(await this.#waiting.enter(gate, route))) continue;
      let well = true;
      try {
        return await this.#run(node, wanted);
      } catch (error) {
        well = failureOf(error).blames !== "node";
        this.#moveOn(route, node, error);
      } finally {
        gate?.leave(well);
      }
    }
  }

  /** Makes of a failure what it says of the node; throws the error again when the call must not go on elsewhere. */
  #moveOn(route: Route<unknown>, node: RouterNode, error: unknown): void {
    const failure = failureOf(error);
    const { operation } = route.wanted;
    const refused = failure.retry === "primary";
    if (!refused) learn(this.#topology, node, failure, error);
    if (!canMove(operation, failure) || this.#options.clock.now() >= operation.deadline) throw error;
    const ran = failure.phase === "running" || failure.phase === "committing";
    if (ran && !refused && this.#options.budget?.tryRetry() === false) throw error;
    if (refused) {
      if (!this.#refusedBy(node, operation, failure, route.refusals++)) throw error;
      route.toPrimary();
    }
    route.failed(node, error, wasTurnedAway(failure, error));
    this.#rerouted += 1;
    const { label } = operation;
    this.events.emit("router:rerouted", { pool: this.name, label, node: node.name, reason: failure.reason });
  }

  stats(): PoolStats {
    return routerStats(this.name, this.#topology.nodes, {
      rerouted: this.#rerouted,
      readsRefused: this.#refused,
      refusedTexts: this.#destinations.refusedTexts,
      sentToPrimary: this.#chooser.sentToPrimary,
      waitingForNode: this.#waiting.size,
    });
  }

  controls(): readonly Control[] {
    return controlsBehind(this, this.#control, this.#topology);
  }

  interrupt(reason: Error, whom?: Interrupted): void {
    for (const node of this.#topology.nodes) node.pool.interrupt(reason, whom);
  }

  close(options?: CloseOptions): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  /** Rejects with the reason of the first node that is not ready, when all have said what they can. */
  async ready(): Promise<void> {
    if (this.#closing !== undefined) throw new PoolClosedError(this.name);
    this.#membership.start();
    const outcomes = await Promise.allSettled(this.#topology.nodes.map(async ({ pool }) => pool.ready?.()));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  resize(bounds: PoolBounds): void {
    const pools = this.#topology.nodes.map(({ pool }) => pool);
    const fixed = pools.find((pool) => pool.resize === undefined);
    if (fixed !== undefined) throw new UsageError(fixed.name, "its size cannot be changed");
    for (const pool of pools) pool.resize?.(bounds);
  }

  async #close(options?: CloseOptions): Promise<void> {
    this.#membership.stop();
    this.#waiting.refuseAll(new PoolClosedError(this.name));
    await Promise.all(this.#topology.nodes.map((node) => node.pool.close(options)));
    await this.#membership.leaving();
    this.#topology.stop();
    this.events.emit("pool:closed", { pool: this.name });
  }

  /** Runs a call on a node; where it `goesOn`, from its failure to the next one. */
  #run<T>(node: RouterNode, wanted: Destination<T>, goesOn = false): Promise<T> {
    const { operation, node: named } = wanted;
    const { hedged, signal } = operation;
    // A second go has asked before its node was chosen for good.
    if (hedged?.other === undefined && hedged?.sentTo(node.name) === false && signal !== undefined)
      return Promise.reject(abortReason(signal));
    if (operation.trace !== undefined || this.events.has("router:sent"))
      tellDecision(node, { operation, node: named }, this.#topology, this);
    if (node.begin(this.#options.clock)) this.#topology.quiet(node);
    const failed = (error: unknown): Promise<T> => this.#failed(node, wanted, goesOn, error);
    const comparable = this.#isComparable(node, wanted);
    const timed = this.#options.balancer.answered !== undefined || (comparable && node.window.toBeTimed());
    const served = comparable && !timed ? node.counted<T> : node.served<T>;
    if (!timed && operation.causality?.monotonic !== true) return node.pool.execute(operation).then(served, failed);
    return this.#watched(node, wanted, { timed, comparable, served, failed });
  }

  /** Runs a call whose duration, or place, somebody wants to know. */
  #watched<T>(
    node: RouterNode,
    { operation }: Destination<T>,
    { timed, comparable, served, failed }: Watch<T>,
  ): Promise<T> {
    const { clock, balancer } = this.#options;
    const { causality } = operation;
    const startedMs = timed ? clock.now() : 0;
    return node.pool.execute(operation).then((value) => {
      served(value);
      if (timed) {
        const endedMs = clock.now();
        balancer.answered?.(node, endedMs - startedMs, endedMs);
        if (comparable) this.#topology.ejection.timed(node, startedMs, endedMs);
      }
      if (causality?.monotonic !== true) return value;
      const { primary } = this.#topology;
      return this.#freshness.served(operation, causality, { node, primary }, this).then(() => value);
    }, failed);
  }

  #failed<T>(node: RouterNode, wanted: Destination<T>, goesOn: boolean, error: unknown): Promise<T> {
    node.end();
    if (goesOn) return this.#route(wanted, undefined, { node, error });
    throw error;
  }

  /** What is sent to a node by name, and what a caller's function does, cannot be compared between nodes. */
  #isComparable({ role }: RouterNode, { operation, node: named }: Destination<unknown>): boolean {
    return this.#topology.ejection.on && role === "replica" && named === undefined && operation.kind === "query";
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
}
