/**
 * What can be said of destinations, and the checks of it.
 */
import {
  type Clock,
  knownOptions,
  OptionError,
  type Pool,
  positiveInteger,
  positiveMs,
  systemClock,
  text,
} from "@breakwater/core";
import { type CallMatch, type CallMatcher, callMatcher, MATCH_OPTIONS, type RuleCall } from "../call-match.ts";

/** A pool, or what stands before one: a `Database`. */
export type Stack = Pool | { readonly pool: Pool };

/** Sends the calls that it fits to one destination; without a condition, every call. */
export interface DestinationRule extends CallMatch {
  /** The destination's name, or a function that gives it. One that gives `undefined` leaves the call to the next rule. */
  readonly to: string | ((call: RuleCall) => string | undefined);
}

/** Which destinations there are, and which calls go where. */
export interface DestinationsOptions {
  /** The databases that there always are, by name: whole stacks, at least one. */
  readonly to: Readonly<Record<string, Stack>>;
  /** Where the calls go that no rule fits: a name of `to`, or false to refuse them. */
  readonly default: string | false;
  /** Where certain calls go: the first rule that fits counts. A call that names its `destination` asks no rule. @default none */
  readonly rules?: readonly DestinationRule[];
  /**
   * Makes the stack of a destination that is not in `to`, at its first call; one definition for all tenants or shards.
   * What it throws is what the call is rejected with. @default there are no others
   */
  readonly open?: (destination: string) => Stack;
  /** Most destinations that `open` has made and that are open at a time. A whole number from 1. @default 100 */
  readonly maxOpen?: number;
  /** One that `open` has made is closed when nobody has used it for so long, in milliseconds; false for never. @default 600000 */
  readonly idleMs?: number | false;
  /** Stands in errors and events. @default "destinations" */
  readonly name?: string;
  /** @default systemClock */
  readonly clock?: Clock;
}

const OPTIONS = ["to", "default", "rules", "open", "maxOpen", "idleMs", "name", "clock"] as const;

/** What may be changed while it runs. */
export interface Limits {
  readonly maxOpen: number;
  readonly idleMs: number | false;
}

/** A rule that has been checked. */
export interface CheckedRule {
  readonly fits: CallMatcher;
  readonly to: (call: RuleCall) => string | undefined;
}

/** Options with every default filled in. */
export interface CheckedDestinationsOptions {
  readonly to: ReadonlyMap<string, Pool>;
  readonly default: string | false;
  readonly rules: readonly CheckedRule[];
  readonly open: DestinationsOptions["open"];
  readonly limits: Limits;
  readonly name: string;
  readonly clock: Clock;
}

/** @throws OptionError when an option is unknown or out of range. */
export function checkOptions(given: DestinationsOptions): CheckedDestinationsOptions {
  const options = knownOptions("destinations", given, OPTIONS);
  const { open, rules = [] } = options;
  if (open !== undefined && typeof open !== "function")
    throw new OptionError("destinations.open", open, "a function that makes a pool");
  if (!Array.isArray(rules)) throw new OptionError("destinations.rules", rules, "an array of rules");
  const to = checkStacks(options.to);
  const byDefault = options.default;
  if (byDefault !== false && !to.has(byDefault))
    throw new OptionError("destinations.default", byDefault, `one of ${[...to.keys()].join(", ")}, or false`);
  return {
    to,
    default: byDefault,
    rules: (rules as readonly DestinationRule[]).map((rule, index) =>
      checkRule(`destinations.rules[${index}]`, rule, (name) => open !== undefined || to.has(name)),
    ),
    open,
    limits: checkLimits(options),
    name: text("destinations.name", options.name ?? "destinations"),
    clock: options.clock ?? systemClock,
  };
}

/** @throws OptionError when a limit is out of range. */
export function checkLimits({
  maxOpen = 100,
  idleMs = 600_000,
}: Pick<DestinationsOptions, "maxOpen" | "idleMs">): Limits {
  return {
    maxOpen: positiveInteger("destinations.maxOpen", maxOpen),
    idleMs: idleMs === false ? false : positiveMs("destinations.idleMs", idleMs),
  };
}

/** The pool of a stack; undefined when it is none. */
export function poolIn(stack: Stack | undefined): Pool | undefined {
  const pool = typeof stack === "object" && stack !== null && "pool" in stack ? stack.pool : stack;
  return typeof pool?.execute === "function" ? pool : undefined;
}

/** Longest part of a name that is shown: it may come from anywhere. */
const MAX_SHOWN = 100;

/** A name as messages show it. */
export function quoted(name: unknown): string {
  const shown = JSON.stringify(name) ?? String(name);
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown;
}

/** Whether it can be the name of a destination: one that is no text cannot be told in a token. */
export function isName(name: unknown): name is string {
  return typeof name === "string" && name !== "" && name.isWellFormed();
}

function checkStacks(to: DestinationsOptions["to"]): ReadonlyMap<string, Pool> {
  if (typeof to !== "object" || to === null || Object.keys(to).length === 0)
    throw new OptionError("destinations.to", to, "an object with at least one pool by name");
  const pools = new Map<string, Pool>();
  for (const [name, stack] of Object.entries(to)) {
    const option = `destinations.to.${name}`;
    const pool = poolIn(stack);
    if (pool === undefined) throw new OptionError(option, stack, "a pool, or a Database");
    const [first] = pools.values();
    if ([...pools.values()].includes(pool)) throw new OptionError(option, pool.name, "a pool that is not named before");
    if (first !== undefined && first.dialect.name !== pool.dialect.name)
      throw new OptionError(option, pool.dialect.name, `a pool of ${first.dialect.name}`);
    if (!isName(name)) throw new OptionError("destinations.to", name, "an object with a name for each pool");
    pools.set(name, pool);
  }
  return pools;
}

function checkRule(option: string, rule: DestinationRule, isKnown: (name: string) => boolean): CheckedRule {
  const { to, ...match } = knownOptions(option, rule, [...MATCH_OPTIONS, "to"]);
  const fits = callMatcher(option, match);
  if (typeof to === "function") return { fits, to };
  if (!isKnown(text(`${option}.to`, to))) throw new OptionError(`${option}.to`, to, "the name of a destination");
  return { fits, to: () => to };
}
