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
  NoHealthyNodeError,
  type Operation,
  operationContext,
  type Pool,
  PoolClosedError,
  type PoolStats,
} from "@breakwater/core";
import { Chooser, needsPrimary } from "./chooser.ts";
import { type Destination, Destinations } from "./destination.ts";
import "./events.ts";
import { Freshness } from "./freshness.ts";
import { Membership, registerTopology } from "./membership.ts";
import type { RouterNode } from "./node.ts";
import { type CheckedRouterOptions, checkRouterOptions, type RouterOptions } from "./options.ts";
import { canMove, Route, wasTurnedAway } from "./route.ts";
import type { SlowStart } from "./slow-start.ts";
import { routerStats } from "./stats.ts";
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

  execute<T>(operation: Operation<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(new PoolClosedError(this.name));
    this.#membership.start();
    try {
      const wanted = this.#destinations.of(operation);
      const node = this.#chooser.atOnce(wanted);
      // Nearly every call: the node is known, takes calls freely, and serves it.
      if (node === undefined || node.gate !== undefined) return this.#route(wanted, node);
      return this.#run(node, wanted.operation).then(undefined, (error: unknown) =>
        this.#route(wanted, undefined, { node, error }),
      );
    } catch (error) {
      // A rule's function may throw.
      return Promise.reject(error);
    }
  }

  /** The long way: chooses, waits, and chooses again; from a node that was chosen, or from the first failure, if any. */
  async #route<T>(
    destination: Destination<T>,
    chosen: RouterNode | undefined,
    failed?: { readonly node: RouterNode; readonly error: unknown },
  ): Promise<T> {
    const { clock, failoverWaitMs } = this.#options;
    const { deadline } = destination.operation;
    const route = new Route(destination, Math.min(deadline, clock.now() + failoverWaitMs));
    if (failed !== undefined) this.#moveOn(route, failed.node, failed.error);
    for (let next = chosen; ; next = undefined) {
      if (this.#closing !== undefined) throw new PoolClosedError(this.name);
      const { wanted, tried } = route;
      const node = next ?? (await this.#chooser.choose(wanted, tried));
      if (node === undefined) {
        const another = tried.length > 0 && this.#chooser.pick(wanted, []) !== undefined;
        // Every node that could serve has been tried: whoever stands outside decides whether to begin anew.
        if (another && !route.turnedAway) throw route.last;
        if (!another) await this.#waitForNode(route);
        route.begin();
        continue;
      }
      const { gate } = node;
      if (gate !== undefined && !(await this.#enter(gate, route))) continue;
      let well = true;
      try {
        return await this.#run(node, wanted.operation);
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
    if (!refused) this.#learn(node, failure, error);
    if (!canMove(operation, failure) || this.#options.clock.now() >= operation.deadline) throw error;
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
      waitingForNode: this.#waiting.size + this.#waitingAtGates(),
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

  #run<T>(node: RouterNode, operation: Operation<T>): Promise<T> {
    const { clock, balancer } = this.#options;
    const startedMs = clock.now();
    if (node.begin(startedMs)) this.#topology.quiet(node);
    const { causality } = operation;
    return node.pool.execute(operation).then(
      (value) => {
        node.end();
        node.failures = 0;
        if (balancer.answered !== undefined) {
          const endedMs = clock.now();
          balancer.answered(node, endedMs - startedMs, endedMs);
        }
        return causality?.monotonic === true ? this.#served(operation, causality, node).then(() => value) : value;
      },
      (error: unknown) => {
        node.end();
        throw error;
      },
    );
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

  #enter(gate: SlowStart, route: Route<unknown>): Promise<boolean> {
    const onLimit = (): Error => this.#waitedOut(route);
    if (this.#waiting.size + this.#waitingAtGates() >= this.#options.maxWaiting) throw onLimit();
    const { signal } = route.wanted.operation;
    return gate.enter({ clock: this.#options.clock, limit: route.waitUntil, signal, onLimit });
  }

  #waitingAtGates(): number {
    if (this.#topology.starting === 0) return 0;
    return this.#topology.nodes.reduce((sum, { gate }) => sum + (gate?.waiting ?? 0), 0);
  }

  async #waitForNode(route: Route<unknown>): Promise<void> {
    const waitedOut = (): Error => this.#waitedOut(route);
    if (this.#waiting.full || route.waitUntil <= this.#options.clock.now()) throw waitedOut();
    await this.#waiting.change(route.waitUntil, route.wanted.operation.signal, waitedOut);
  }

  #waitedOut({ wanted: { operation }, last }: Route<unknown>): Error {
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
