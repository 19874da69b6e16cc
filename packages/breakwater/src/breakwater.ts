/**
 * The recommended stack, in the recommended order, with sound defaults; every part can be changed or left out.
 *
 *     Database ─ timeout ─ [hedge] ─ retry ─ commit resolution ─ router ─┬─ circuit breaker ─ pg pool ─ primary
 *                                                                        └─ circuit breaker ─ pg pool ─ replica …
 *
 * Between a circuit breaker and its pool there may be throttle, bulkhead and adaptive limit.
 */
import {
  type Clock,
  compose,
  knownOptions,
  OptionError,
  type Policy,
  type Pool,
  type Random,
  text,
} from "@breakwater/core";
import type { FromPgOptions } from "@breakwater/pg";
import {
  circuitBreaker,
  type CircuitBreakerOptions,
  commitResolution,
  type CommitResolutionOptions,
  hedge,
  type HedgeOptions,
  type NodeOptions,
  retry,
  type RetryOptions,
  router,
  type RouterOptions,
  timeout,
} from "@breakwater/policies";
import { BreakwaterDatabase } from "./breakwater-database.ts";
import { atAddress, environmentSource } from "./environment.ts";
import { type OverloadOptions, overloadPolicies } from "./overload.ts";
import { addressable, type BreakwaterSource, isPool, poolOf } from "./source.ts";

/** A node with what the router should know of it. */
export interface BreakwaterNode extends Omit<NodeOptions, "pool"> {
  /** A connection string, a configuration of `pg`, a `pg.Pool`, or a pool of another adapter. */
  readonly source: BreakwaterSource;
}

export interface BreakwaterOptions extends OverloadOptions {
  /**
   * A connection string, a configuration of `pg`, a `pg.Pool`, a pool that another adapter has made, or one of these as
   * `source` beside a name, weight or zone.
   * @default `DATABASE_URL`, else what `pg` makes of `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD` and `PGDATABASE`
   */
  readonly primary?: BreakwaterSource | BreakwaterNode;
  /** The same for each replica; at least one if given. Which node is the primary is observed, not assumed. */
  readonly replicas?: readonly (BreakwaterSource | BreakwaterNode)[];
  /** Stands in errors, events and metrics. @default "breakwater" */
  readonly name?: string;
  /** Longest that a call may take, all attempts together, in milliseconds; false for no limit. @default 30000 */
  readonly timeoutMs?: number | false;
  /** Options of `hedge`, which sends slow reads a second time, to another replica; false for none. @default false */
  readonly hedge?: HedgeOptions | false;
  /** Options of `retry`, or false to leave it out. */
  readonly retry?: RetryOptions | false;
  /** Options of `commitResolution`, or false to leave it out: an interrupted COMMIT then ends in `OutcomeUnknownError`. */
  readonly commitResolution?: CommitResolutionOptions | false;
  /** Options of each node's `circuitBreaker`, or false to leave it out. */
  readonly circuitBreaker?: CircuitBreakerOptions | false;
  /** Options of the `router`. */
  readonly router?: Omit<RouterOptions, "primary" | "replicas" | "name" | "clock" | "random">;
  /** Options of each node's pool that is made here: how its connections live, and its limits in time. `max` is 10, `min` 0. */
  readonly pool?: Omit<FromPgOptions, "name" | "clock">;
  /** Further policies around the whole stack, the first outermost. */
  readonly policies?: readonly Policy[];
  /** Further policies around each node's pool, inside all others, the first outermost. */
  readonly nodePolicies?: readonly Policy[];
  /** Source of the time for every part. */
  readonly clock?: Clock;
  /** Dice for every part. */
  readonly random?: Random;
}

const OPTIONS = [
  "primary",
  "replicas",
  "name",
  "timeoutMs",
  "hedge",
  "retry",
  "commitResolution",
  "circuitBreaker",
  "throttle",
  "bulkhead",
  "adaptiveLimit",
  "router",
  "pool",
  "policies",
  "nodePolicies",
  "clock",
  "random",
] as const;

/**
 * Puts the recommended stack before a primary and its replicas. Connects at the first call.
 * @throws OptionError when an option is unknown or out of range.
 */
export function breakwater(options: BreakwaterOptions = {}): BreakwaterDatabase<BreakwaterSource | BreakwaterNode> {
  knownOptions("breakwater", options, OPTIONS);
  const { clock, random, replicas } = options;
  const shared = { ...(clock === undefined ? {} : { clock }), ...(random === undefined ? {} : { random }) };
  const primary = node(options, "primary", options.primary ?? environmentSource());
  if (replicas !== undefined && (!Array.isArray(replicas) || replicas.length === 0)) {
    throw new OptionError("breakwater.replicas", replicas, "an array of at least one node, or left out");
  }
  const nodes = router({
    // A node that a source tells of is reached as the primary is, at its own address.
    connect: ({ host, port }) =>
      nodePool(options, "primary", atAddress(addressable(sourceOf(options.primary)), host, port)),
    ...options.router,
    ...shared,
    name: text("breakwater.name", options.name ?? "breakwater"),
    primary,
    ...(replicas === undefined
      ? {}
      : { replicas: replicas.map((source, index) => node(options, `replicas[${index}]`, source)) }),
  });
  const outer: Policy[] = [...(options.policies ?? [])];
  if (options.timeoutMs !== false) {
    outer.push(timeout({ limitMs: options.timeoutMs ?? 30_000, ...(clock === undefined ? {} : { clock }) }));
  }
  if (options.hedge !== undefined && options.hedge !== false) {
    outer.push(hedge({ ...(clock === undefined ? {} : { clock }), ...options.hedge }));
  }
  if (options.retry !== false) outer.push(retry({ ...shared, ...options.retry }));
  if (options.commitResolution !== false) {
    outer.push(commitResolution({ ...(clock === undefined ? {} : { clock }), ...options.commitResolution }));
  }
  const stack = compose(...outer)(nodes);
  return new BreakwaterDatabase(stack, clock === undefined ? {} : { clock }, (given) => node(options, "node", given));
}

function node(
  options: BreakwaterOptions,
  option: string,
  given: BreakwaterSource | BreakwaterNode,
): Pool | NodeOptions {
  if (!isNode(given)) return nodePool(options, option, given);
  const { source, ...standing } = given;
  return { ...standing, pool: nodePool(options, `${option}.source`, source) };
}

function sourceOf(given: BreakwaterSource | BreakwaterNode = environmentSource()): BreakwaterSource {
  return isNode(given) ? given.source : given;
}

function isNode(given: BreakwaterSource | BreakwaterNode): given is BreakwaterNode {
  return typeof given === "object" && given !== null && "source" in given && !isPool(given as never);
}

function nodePool(options: BreakwaterOptions, option: string, source: BreakwaterSource): Pool {
  const { clock, random, nodePolicies = [], circuitBreaker: breaker } = options;
  const shared = clock === undefined ? {} : { clock };
  const pool = poolOf(`breakwater.${option}`, source, options.pool ?? {}, shared);
  const dice = random === undefined ? {} : { random };
  const inner = [...overloadPolicies(options, { ...shared, ...dice }), ...nodePolicies];
  const policies = breaker === false ? inner : [circuitBreaker({ ...shared, ...breaker }), ...inner];
  return compose(...policies)(pool);
}
