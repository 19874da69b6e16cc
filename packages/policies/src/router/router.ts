/**
 * Sends writes to the primary and reads to the replicas in turn, past whatever is down, through failovers.
 *
 * Stands inside `retry` and outside each node's own policies. It does not wait between nodes: where another node can
 * serve a read, the caller does not notice; where no node can, calls wait for one, bounded in time and number.
 */
import {
  type Causality,
  checkOrder,
  type Clock,
  type CloseOptions,
  type Dialect,
  Events,
  type Failure,
  failureOf,
  knownOptions,
  type Layer,
  NoHealthyNodeError,
  nonNegativeMs,
  type Operation,
  OptionError,
  type Pool,
  PoolClosedError,
  type PoolStats,
  positiveInteger,
  positiveMs,
  type Random,
  systemClock,
  text,
} from "@breakwater/core";
import "./events.ts";
import { Freshness, isBefore, isFree } from "./freshness.ts";
import type { RouterNode } from "./node.ts";
import { Topology } from "./topology.ts";
import { WaitingRoom } from "./waiting-room.ts";

export interface RouterOptions {
  /** The node that is expected to be the primary. What it is is observed. */
  readonly primary: Pool;
  /** The other nodes; at least one if given. Without it everything goes to the primary. */
  readonly replicas?: readonly Pool[];
  /** Stands in errors and events. @default "router" */
  readonly name?: string;
  /** Pause between two probes of a node that is well, in milliseconds. @default 1000 */
  readonly probeIntervalMs?: number;
  /** Longest wait for a probe's answer, in milliseconds. Two such waits in a row, and a node is taken for hung. @default 1000 */
  readonly probeTimeoutMs?: number;
  /** Longest that a call waits for a node that can serve it, in milliseconds, if its deadline is not sooner. @default 30000 */
  readonly failoverWaitMs?: number;
  /** Longest that a read waits for a replica to have this session's writes before the primary serves it, in milliseconds. @default 100 */
  readonly freshnessWaitMs?: number;
  /** Most calls that wait for a node at one time. @default 10000 */
  readonly maxWaiting?: number;
  /** @default systemClock */
  readonly clock?: Clock;
  /** Spreads probes of many processes. @default Math.random */
  readonly random?: Random;
}

const OPTIONS = [
  "primary",
  "replicas",
  "name",
  "probeIntervalMs",
  "probeTimeoutMs",
  "failoverWaitMs",
  "freshnessWaitMs",
  "maxWaiting",
  "clock",
  "random",
] as const;

const LAYER: Layer = {
  name: "router",
  outside: {
    "circuit-breaker":
      "a breaker around the router would cut off every node for the failures of one; give each node its own",
  },
};

/**
 * Makes one pool of a primary and its replicas.
 * @throws OptionError when an option is unknown or out of range, `replicas` is empty, or a node is named twice.
 */
export function router(options: RouterOptions): Pool {
  return new Router(knownOptions("router", options, OPTIONS));
}

class Router implements Pool {
  readonly name: string;
  readonly dialect: Dialect;
  readonly events: Events = new Events();
  readonly layers: readonly Layer[];
  readonly #clock: Clock;
  readonly #failoverWaitMs: number;
  readonly #topology: Topology;
  readonly #waiting: WaitingRoom;
  readonly #freshness: Freshness;
  readonly #stopForwarding: readonly (() => void)[];
  #turn = 0;
  #rerouted = 0;
  // Session reads that no replica was far enough for.
  #toPrimary = 0;
  #closing: Promise<void> | undefined;

  constructor(options: RouterOptions) {
    const pools = checkNodes(options);
    this.name = text("router.name", options.name ?? "router");
    this.dialect = options.primary.dialect;
    for (const pool of pools) checkOrder(LAYER.name, pool);
    this.layers = [
      LAYER,
      ...new Map(pools.flatMap((pool) => pool.layers).map((layer) => [layer.name, layer])).values(),
    ];
    this.#clock = options.clock ?? systemClock;
    this.#failoverWaitMs = nonNegativeMs("router.failoverWaitMs", options.failoverWaitMs ?? 30_000);
    this.#freshness = new Freshness(
      this.#clock,
      nonNegativeMs("router.freshnessWaitMs", options.freshnessWaitMs ?? 100),
    );
    this.#waiting = new WaitingRoom(this.#clock, positiveInteger("router.maxWaiting", options.maxWaiting ?? 10_000));
    this.#stopForwarding = pools.map((pool) => pool.events.forwardTo(this.events));
    this.#topology = new Topology(
      this.name,
      options.primary,
      options.replicas ?? [],
      {
        clock: this.#clock,
        random: options.random ?? Math.random,
        probeIntervalMs: positiveMs("router.probeIntervalMs", options.probeIntervalMs ?? 1_000),
        probeTimeoutMs: positiveMs("router.probeTimeoutMs", options.probeTimeoutMs ?? 1_000),
      },
      this.events,
      () => this.#waiting.wake(),
    );
  }

  async execute<T>(operation: Operation<T>): Promise<T> {
    this.#topology.start();
    let wanted = operation;
    let tried: RouterNode[] = [];
    let last: unknown;
    const waitUntil = Math.min(operation.deadline, this.#clock.now() + this.#failoverWaitMs);
    for (;;) {
      if (this.#closing !== undefined) throw new PoolClosedError(this.name);
      const { causality } = wanted;
      const node =
        causality === undefined || isFree(wanted, causality)
          ? this.#pick(wanted, tried)
          : await this.#pickFresh(wanted, causality, tried);
      if (node === undefined) {
        // Every node that could serve has been tried: whoever stands outside decides whether to begin anew.
        if (tried.length > 0 && last !== undefined && this.#pick(wanted, []) !== undefined) throw last;
        await this.#waitForNode(wanted, waitUntil, last);
        tried = [];
        continue;
      }
      try {
        const value = await node.pool.execute(wanted);
        if (causality?.monotonic === true) await this.#served(wanted, causality, node);
        return value;
      } catch (error) {
        const failure = failureOf(error);
        this.#learn(node, failure, error);
        if (!canMove(wanted, failure) || this.#clock.now() >= operation.deadline) throw error;
        last = error;
        tried.push(node);
        if (failure.retry === "primary" && wanted.access === "read") {
          // A standby refused it: it is no read, whatever its text looked like.
          wanted = { ...wanted, access: "write" };
        }
        this.#rerouted += 1;
        const { label } = wanted;
        this.events.emit("router:rerouted", { pool: this.name, label, node: node.name, reason: failure.reason });
      }
    }
  }

  stats(): PoolStats {
    const nodes = this.#topology.nodes.map((node) => node.stats());
    const sum = (of: (stats: PoolStats) => number): number => nodes.reduce((total, node) => total + of(node.pool), 0);
    const own = {
      policy: "router",
      rerouted: this.#rerouted,
      sentToPrimary: this.#toPrimary,
      waitingForNode: this.#waiting.size,
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

  interrupt(reason: Error): void {
    for (const node of this.#topology.nodes) node.pool.interrupt(reason);
  }

  close(options?: CloseOptions): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options?: CloseOptions): Promise<void> {
    this.#topology.stop();
    this.#waiting.refuseAll(new PoolClosedError(this.name));
    await Promise.all(this.#topology.nodes.map((node) => node.pool.close(options)));
    for (const stop of this.#stopForwarding) stop();
  }

  /** The node for a call, past those that have been tried; undefined when there is none. */
  #pick(operation: Operation<unknown>, tried: readonly RouterNode[]): RouterNode | undefined {
    const { primary, readers } = this.#topology;
    if (operation.access === "write" || operation.consistency === "strong") {
      return primary !== undefined && !tried.includes(primary) ? primary : undefined;
    }
    for (let step = 0; step < readers.length; step += 1) {
      const node = readers[this.#turn++ % readers.length];
      if (node !== undefined && !tried.includes(node)) return node;
    }
    return primary !== undefined && !tried.includes(primary) ? primary : undefined;
  }

  /** The node for a read that must include what its session has written and seen. */
  async #pickFresh(
    operation: Operation<unknown>,
    causality: Causality,
    tried: readonly RouterNode[],
  ): Promise<RouterNode | undefined> {
    const { primary, readers } = this.#topology;
    const open = readers.filter((node) => !tried.includes(node));
    // A session that must not go back in time stays where it read last; to move, it needs all there was to see there.
    const stay = causality.monotonic ? open.find((node) => node.life === causality.lastRead) : undefined;
    const moves = causality.monotonic && causality.lastRead !== undefined && stay === undefined;
    let certain = !moves && !causality.unplaced;
    if (primary !== undefined && (!certain || isBefore(causality.point, primary))) {
      certain = await this.#freshness.place(causality, primary, this.name, this.events);
    }
    const { point } = causality;
    const at = this.#turn++ % Math.max(1, open.length);
    const candidates = stay === undefined ? [...open.slice(at), ...open.slice(0, at)] : [stay];
    const chosen = certain ? await this.#freshness.choose(operation, point, candidates) : undefined;
    if (chosen !== undefined) return chosen;
    // No replica is known to be far enough. The primary always is.
    if (open.length > 0) this.#toPrimary += 1;
    return this.#pick({ ...operation, consistency: "strong" }, tried);
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
    if (failure.retry === "primary") this.#topology.refusedWrite(node);
    else if (failure.blames !== "node") return;
    else if (failure.phase === "connect") this.#topology.unreachable(node, error);
    else if (failure.phase !== "acquire") this.#topology.suspect(node);
  }

  async #waitForNode(operation: Operation<unknown>, until: number, last: unknown): Promise<void> {
    const wanted = operation.access === "write" || operation.consistency === "strong" ? "primary" : "any node";
    const waitedOut = (): Error =>
      new NoHealthyNodeError(
        this.name,
        wanted,
        this.#topology.nodes.map((node) => `${node.name} ${node.state}`).join(", "),
        last,
      );
    if (this.#waiting.full || until <= this.#clock.now()) throw waitedOut();
    await this.#waiting.change(until, operation.signal, waitedOut);
  }
}

/** Whether a call that failed on one node may be sent to another, without any wait. */
function canMove(operation: Operation<unknown>, failure: Failure): boolean {
  if (failure.effect === "unknown" && !operation.idempotent) return false;
  return failure.retry === "other-node" || failure.retry === "primary";
}

function checkNodes(options: RouterOptions): readonly Pool[] {
  const { primary, replicas } = options;
  if (typeof primary?.execute !== "function") throw new OptionError("router.primary", primary, "a pool");
  if (replicas === undefined) return [primary];
  if (!Array.isArray(replicas) || replicas.length === 0) {
    throw new OptionError("router.replicas", replicas, "an array of at least one pool, or left out");
  }
  const pools = [primary, ...replicas] as Pool[];
  for (const [index, pool] of pools.entries()) {
    const option = `router.replicas[${index - 1}]`;
    if (typeof pool?.execute !== "function") throw new OptionError(option, pool, "a pool");
    if (pools.indexOf(pool) !== index) throw new OptionError(option, pool.name, "a pool that is not named before");
    if (pool.dialect !== primary.dialect)
      throw new OptionError(option, pool.dialect.name, `a pool of ${primary.dialect.name}`);
  }
  return pools;
}
