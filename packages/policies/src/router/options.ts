/**
 * What can be said of a router, and the checks of it.
 */
import {
  atLeast,
  type Clock,
  knownOptions,
  nonNegativeMs,
  oneOf,
  OptionError,
  type Pool,
  positiveInteger,
  positiveMs,
  type Random,
  ratio,
  systemClock,
  text,
} from "@breakwater/core";
import type { RetryBudget } from "../budget/index.ts";
import { type Balancer, type BalancerFactory, type BalancerName, BALANCERS } from "./balancer.ts";
import { lookUpFunctionsOf, type Rule } from "./destination.ts";
import type { EjectionOptions } from "./ejection.ts";
import type { MaxLag } from "./lag.ts";
import { type NodeOptions, RouterNode } from "./node.ts";
import type { NodeDescription, TopologySource } from "./sources/source.ts";

/** The nodes, who serves which call, and how the nodes are watched. */
export interface RouterOptions {
  /** The node that is expected to be the primary. What it is is observed. */
  readonly primary: Pool | NodeOptions;
  /** The other nodes; at least one if given. Without it everything goes to the primary. */
  readonly replicas?: readonly (Pool | NodeOptions)[];
  /** Stands in errors and events. @default "router" */
  readonly name?: string;
  /** Who serves the next read, or a function that makes a balancer. @default "round-robin" */
  readonly balance?: BalancerName | BalancerFactory;
  /** The zone that this process runs in: reads stay in it while a replica there is well. @default none is preferred */
  readonly zone?: string;
  /** How far behind a replica may be to serve reads. @default no limit */
  readonly maxLag?: MaxLag;
  /** When a replica that fails its calls is left out for a while; false for never. */
  readonly ejection?: EjectionOptions | false;
  /** Where certain calls go: the first rule that fits a call counts. A call that says its `access` asks no rule. @default none */
  readonly rules?: readonly Rule[];
  /**
   * Whether functions that are not built in are looked up in the database's catalog: what is declared to change nothing
   * is believed, and a text that was held back only for its sake goes to the replicas. @default true
   */
  readonly lookUpFunctions?: boolean;
  /** Tells which nodes there are while the router runs. The nodes given here serve until it has told its own. @default none */
  readonly source?: TopologySource;
  /** Makes the pool of a node that the source has told of; needed with `source`. */
  readonly connect?: (node: NodeDescription) => Pool;
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
  /**
   * Bounds how many calls that had been sent to a node go on at another at once; hand over the one that `retry` has. What
   * a node did not take, or refused as a standby, goes on always. @default no bound
   */
  readonly budget?: RetryBudget;
  /** @default systemClock */
  readonly clock?: Clock;
  /** Spreads probes of many processes. @default Math.random */
  readonly random?: Random;
}

const OPTIONS = [
  "primary",
  "replicas",
  "name",
  "balance",
  "zone",
  "maxLag",
  "ejection",
  "rules",
  "lookUpFunctions",
  "source",
  "connect",
  "probeIntervalMs",
  "probeTimeoutMs",
  "failoverWaitMs",
  "freshnessWaitMs",
  "maxWaiting",
  "budget",
  "clock",
  "random",
] as const;

const EJECTION = [
  "failures",
  "failureRatio",
  "latencyFactor",
  "minLatencyGapMs",
  "minimumCalls",
  "intervalMs",
  "baseMs",
  "maxMs",
  "maxRatio",
] as const;

/** The options with their defaults. */
export interface CheckedRouterOptions extends Required<
  Pick<RouterOptions, "name" | "maxLag" | "rules" | "lookUpFunctions" | "clock" | "random">
> {
  /** One object for all parts: a change is seen by all. */
  readonly limits: RouterLimits;
  readonly nodes: readonly RouterNode[];
  readonly balancer: Balancer;
  readonly zone: string | undefined;
  readonly source: TopologySource | undefined;
  readonly connect: RouterOptions["connect"];
  readonly budget: RetryBudget | undefined;
}

/** What may be changed while a router runs. */
export const LIMITS = [
  "ejection",
  "probeIntervalMs",
  "probeTimeoutMs",
  "failoverWaitMs",
  "freshnessWaitMs",
  "maxWaiting",
] as const;

/** The options that may be changed, with their defaults. */
export interface RouterLimits {
  ejection: Required<EjectionOptions> | false;
  probeIntervalMs: number;
  probeTimeoutMs: number;
  failoverWaitMs: number;
  freshnessWaitMs: number;
  maxWaiting: number;
}

/** @throws OptionError when a limit is out of range. */
export function checkLimits(options: Pick<RouterOptions, (typeof LIMITS)[number]>): RouterLimits {
  const { ejection = {}, probeIntervalMs = 1_000, probeTimeoutMs = 1_000 } = options;
  const { failoverWaitMs = 30_000, freshnessWaitMs = 100, maxWaiting = 10_000 } = options;
  return {
    ejection: ejection === false ? false : checkEjection(ejection),
    probeIntervalMs: positiveMs("router.probeIntervalMs", probeIntervalMs),
    probeTimeoutMs: positiveMs("router.probeTimeoutMs", probeTimeoutMs),
    failoverWaitMs: nonNegativeMs("router.failoverWaitMs", failoverWaitMs),
    freshnessWaitMs: nonNegativeMs("router.freshnessWaitMs", freshnessWaitMs),
    maxWaiting: positiveInteger("router.maxWaiting", maxWaiting),
  };
}

/** @throws OptionError when an option is unknown or out of range. */
export function checkRouterOptions(given: RouterOptions): CheckedRouterOptions {
  const options = knownOptions("router", given, OPTIONS);
  const random = options.random ?? Math.random;
  if (options.source !== undefined && typeof options.connect !== "function") {
    throw new OptionError(
      "router.connect",
      options.connect,
      "a function that makes a node's pool, as there is a source",
    );
  }
  return {
    nodes: checkNodes(options),
    name: text("router.name", options.name ?? "router"),
    balancer: balancerOf(options.balance ?? "round-robin", random),
    zone: options.zone === undefined ? undefined : text("router.zone", options.zone),
    maxLag: checkMaxLag(options.maxLag ?? {}),
    rules: checkRules(options.rules ?? []),
    lookUpFunctions: lookUpFunctionsOf(options.lookUpFunctions),
    source: options.source,
    connect: options.connect,
    budget: checkBudget(options.budget),
    limits: checkLimits(options),
    clock: options.clock ?? systemClock,
    random,
  };
}

/** A node of a pool, or of a pool and what is said of it. @throws OptionError when it is neither. */
export function nodeOf(option: string, given: Pool | NodeOptions, role: "primary" | "replica"): RouterNode {
  const isPool = typeof (given as Partial<Pool> | undefined)?.execute === "function";
  const options = isPool ? { pool: given as Pool } : (given as NodeOptions);
  if (typeof options?.pool?.execute !== "function")
    throw new OptionError(option, given, "a pool, or an object with one");
  knownOptions(option, options, ["pool", "name", "weight", "zone"]);
  const { name, zone, weight } = options;
  if (name !== undefined) text(`${option}.name`, name);
  if (zone !== undefined) text(`${option}.zone`, zone);
  if (weight !== undefined) checkWeight(`${option}.weight`, weight);
  return new RouterNode(options, role);
}

function checkBudget(budget: RetryBudget | undefined): RetryBudget | undefined {
  if (budget === undefined || typeof budget?.tryRetry === "function") return budget;
  throw new OptionError("router.budget", budget, "a budget, as retryBudget() makes it");
}

/** @throws OptionError when a weight is none. */
export function checkWeight(option: string, weight: unknown): number {
  if (typeof weight === "number" && weight > 0 && weight < Number.POSITIVE_INFINITY) return weight;
  throw new OptionError(option, weight, "a number above 0");
}

/** @throws OptionError when a node cannot stand beside others. */
export function checkNode(option: string, node: RouterNode, others: readonly RouterNode[]): void {
  const [first] = others;
  if (others.some((other) => other.pool === node.pool))
    throw new OptionError(option, node.name, "a pool that is not named before");
  if (first !== undefined && node.pool.dialect.name !== first.pool.dialect.name)
    throw new OptionError(option, node.pool.dialect.name, `a pool of ${first.pool.dialect.name}`);
}

function checkNodes({ primary, replicas }: RouterOptions): readonly RouterNode[] {
  const nodes = [nodeOf("router.primary", primary, "primary")];
  if (replicas === undefined) return nodes;
  if (!Array.isArray(replicas) || replicas.length === 0) {
    throw new OptionError("router.replicas", replicas, "an array of at least one pool, or left out");
  }
  for (const [index, given] of (replicas as readonly (Pool | NodeOptions)[]).entries()) {
    const option = `router.replicas[${index}]`;
    const node = nodeOf(option, given, "replica");
    checkNode(option, node, nodes);
    nodes.push(named(option, given, node, nodes));
  }
  return nodes;
}

/** The node under a name that no other has: two pools of one server may have the same. */
function named(option: string, given: Pool | NodeOptions, node: RouterNode, others: readonly RouterNode[]): RouterNode {
  const { pool, name, weight, zone } = node;
  const taken = (candidate: string): boolean => others.some((other) => other.name === candidate);
  if (!taken(name)) return node;
  if ("pool" in given && given.name !== undefined)
    throw new OptionError(`${option}.name`, name, "a name that no other node has");
  let number = 2;
  while (taken(`${name} (${number})`)) number += 1;
  return new RouterNode({ pool, name: `${name} (${number})`, weight, ...(zone !== undefined && { zone }) }, "replica");
}

function balancerOf(balance: BalancerName | BalancerFactory, random: Random): Balancer {
  if (typeof balance === "function") return balance(random);
  return BALANCERS[oneOf("router.balance", balance, Object.keys(BALANCERS) as BalancerName[])](random);
}

function checkMaxLag(maxLag: MaxLag): MaxLag {
  const { ms, bytes } = knownOptions("router.maxLag", maxLag, ["ms", "bytes"]);
  if (ms !== undefined) positiveMs("router.maxLag.ms", ms);
  if (bytes !== undefined) positiveInteger("router.maxLag.bytes", bytes);
  return maxLag;
}

function checkEjection(ejection: EjectionOptions): Required<EjectionOptions> {
  const { failures = 5, failureRatio = 0.5, latencyFactor = 3 } = knownOptions("router.ejection", ejection, EJECTION);
  const { minLatencyGapMs = 2, minimumCalls = 20, intervalMs = 1_000 } = ejection;
  const { baseMs = 5_000, maxMs = 300_000, maxRatio = 0.5 } = ejection;
  if (latencyFactor !== false && atLeast("router.ejection.latencyFactor", latencyFactor, 1) === 1)
    throw new OptionError("router.ejection.latencyFactor", latencyFactor, "a number above 1, or false");
  return {
    failures: positiveInteger("router.ejection.failures", failures),
    failureRatio: failureRatio === false ? false : ratio("router.ejection.failureRatio", failureRatio),
    latencyFactor,
    minLatencyGapMs: nonNegativeMs("router.ejection.minLatencyGapMs", minLatencyGapMs),
    minimumCalls: positiveInteger("router.ejection.minimumCalls", minimumCalls),
    intervalMs: positiveMs("router.ejection.intervalMs", intervalMs),
    baseMs: positiveMs("router.ejection.baseMs", baseMs),
    maxMs: positiveMs("router.ejection.maxMs", maxMs),
    maxRatio: ratio("router.ejection.maxRatio", maxRatio),
  };
}

function checkRules(rules: readonly Rule[]): readonly Rule[] {
  if (!Array.isArray(rules)) throw new OptionError("router.rules", rules, "an array of rules");
  return rules as readonly Rule[];
}
