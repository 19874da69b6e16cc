/**
 * The recommended stack, in the recommended order, with sound defaults; every part can be changed or left out.
 *
 *     Database ─ timeout ─ [hedge] ─ retry ─ commit resolution ─ router ─┬─ circuit breaker ─ pg pool ─ primary
 *                                                                        └─ circuit breaker ─ pg pool ─ replica …
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
import { checkPgSource, fromPg, type FromPgOptions, type PgSource } from "@breakwater/pg";
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
import { atAddress, environmentSource, withMax } from "./environment.ts";

/** A node with what the router should know of it. */
export interface BreakwaterNode extends Omit<NodeOptions, "pool"> {
  /** A connection string, a configuration of `pg`, or a `pg.Pool`. */
  readonly source: PgSource;
}

export interface BreakwaterOptions {
  /**
   * A connection string, a configuration of `pg`, a `pg.Pool`, or one of these as `source` beside a name, weight or zone.
   * @default `DATABASE_URL`, else what `pg` makes of `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD` and `PGDATABASE`
   */
  readonly primary?: PgSource | BreakwaterNode;
  /** The same for each replica; at least one if given. Which node is the primary is observed, not assumed. */
  readonly replicas?: readonly (PgSource | BreakwaterNode)[];
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
  /** Options of each node's pool: how its connections live, `max` (10) and `min` (0) of them, and its limits in time. */
  readonly pool?: Omit<FromPgOptions, "name" | "clock">;
  /** Further policies around the whole stack, the first outermost. */
  readonly policies?: readonly Policy[];
  /** Further policies around each node's pool, inside its circuit breaker, the first outermost. */
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
export function breakwater(options: BreakwaterOptions = {}): BreakwaterDatabase<PgSource | BreakwaterNode> {
  knownOptions("breakwater", options, OPTIONS);
  const { clock, random, replicas } = options;
  const shared = { ...(clock === undefined ? {} : { clock }), ...(random === undefined ? {} : { random }) };
  const primary = node(options, "primary", options.primary ?? environmentSource());
  if (replicas !== undefined && (!Array.isArray(replicas) || replicas.length === 0)) {
    throw new OptionError("breakwater.replicas", replicas, "an array of at least one node, or left out");
  }
  const nodes = router({
    // A node that a source tells of is reached as the primary is, at its own address.
    connect: ({ host, port }) => nodePool(options, "primary", atAddress(sourceOf(options.primary), host, port)),
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

function node(options: BreakwaterOptions, option: string, given: PgSource | BreakwaterNode): Pool | NodeOptions {
  if (!isNode(given)) return nodePool(options, option, given);
  const { source, ...standing } = given;
  return { ...standing, pool: nodePool(options, `${option}.source`, source) };
}

function sourceOf(given: PgSource | BreakwaterNode = environmentSource()): PgSource {
  return isNode(given) ? given.source : given;
}

function isNode(given: PgSource | BreakwaterNode): given is BreakwaterNode {
  return typeof given === "object" && given !== null && "source" in given;
}

function nodePool(options: BreakwaterOptions, option: string, source: PgSource): Pool {
  const { clock, nodePolicies = [], circuitBreaker: breaker } = options;
  const { max, ...poolOptions } = options.pool ?? {};
  const shared = clock === undefined ? {} : { clock };
  checkPgSource(`breakwater.${option}`, source);
  const pool = fromPg(withMax(source, max), { ...poolOptions, ...shared });
  const policies = breaker === false ? nodePolicies : [circuitBreaker({ ...shared, ...breaker }), ...nodePolicies];
  return compose(...policies)(pool);
}
