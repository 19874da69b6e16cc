/**
 * How the connections of a pool live: the options that every adapter has under the same names, and their checks.
 */
import type { Random } from "../waiting/clock.ts";
import { OptionError } from "../contract/errors.ts";
import { flag, nonNegativeInteger, nonNegativeMs, oneOf, positiveInteger, positiveMs } from "../contract/options.ts";
import type { QueryResult, Statement } from "../contract/pool.ts";

/** A connection that is being prepared, or reset: nobody else has it. */
export interface SetupConnection {
  /** Runs one statement, a text with its `values` or both in one, and resolves with all its rows. */
  query<Row = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>>;
  /** The driver's own connection. */
  readonly driver: unknown;
}

/** Prepares a connection; a promise is waited for. `again` is true after a reset has taken away what it had set before. */
export type OnConnect = (connection: SetupConnection, again: boolean) => unknown;

/** What is done to a connection that is given back; a promise is waited for. */
export type ResetOnRelease = false | "discard-all" | ((connection: SetupConnection) => unknown);

/** Options of how connections live, the same on every adapter. */
export interface LifecycleOptions {
  /** Most connections open at once. @default 10 */
  readonly max?: number;
  /**
   * Connections that are kept open, however idle they are. One that is lost is replaced in the background, more and more
   * slowly while the server cannot be reached. @default 0
   */
  readonly min?: number;
  /** Whether `min` connections are opened at once or with the first call (or `ready()`). @default "lazy" */
  readonly start?: "lazy" | "eager";
  /** A connection that was idle this long is ended, down to `min`, in milliseconds; 0 for never. @default 60000 */
  readonly idleTimeoutMs?: number;
  /**
   * A connection older than this is ended when it is idle, in milliseconds; 0 for never. Each lifetime is shorter by up
   * to a fifth, so that connections opened together do not end together. @default 1800000
   */
  readonly maxLifetimeMs?: number;
  /** Most calls that one connection serves; 0 for no limit. @default 0 */
  readonly maxUses?: number;
  /**
   * A connection that was idle this long answers a short question before it is handed out, in milliseconds; 0 for never.
   * @default 30000
   */
  readonly validateAfterIdleMs?: number;
  /** Idle connections answer the short question this often in the background, in milliseconds; 0 for never. @default 0 */
  readonly validateIntervalMs?: number;
  /** Longest wait for a new connection to be ready, and for `onConnect`, in milliseconds. @default 5000 */
  readonly connectTimeoutMs?: number;
  /** Prepares each new connection before its first call; when it throws or takes too long, the connection is ended. */
  readonly onConnect?: OnConnect;
  /**
   * What is done to a connection before others get it: nothing (what was left open is rolled back in any case),
   * `DISCARD ALL` followed by `onConnect`, or a function of one's own. When it fails, or takes longer than 5 seconds, the
   * connection is ended. @default false
   */
  readonly resetOnRelease?: ResetOnRelease;
  /** Whether a process may end while nothing but idle connections is left of it. @default false */
  readonly allowExitOnIdle?: boolean;
  /** Dice for lifetimes and for the pauses between attempts to connect. @default Math.random */
  readonly random?: Random;
}

/** The options with their defaults. */
export interface Lifecycle {
  /** Most connections open at once. */
  readonly max: number;
  /** Connections that are kept open, however idle they are. */
  readonly min: number;
  /** Whether connections are opened in the background to have `min`, or `min` only spares those that are there. */
  readonly replaces: boolean;
  /** Whether `min` connections are opened at once or with the first call. */
  readonly start: "lazy" | "eager";
  /** How long a connection may be idle while there are more than `min`, in milliseconds; 0 for ever. */
  readonly idleTimeoutMs: number;
  /** How old a connection may grow, or up to a fifth less, in milliseconds; 0 for ever. */
  readonly maxLifetimeMs: number;
  /** Most calls that one connection serves; 0 for no limit. */
  readonly maxUses: number;
  /** After how long without work a connection is asked whether it still answers, in milliseconds; 0 for never. */
  readonly validateAfterIdleMs: number;
  /** How often idle connections are asked in the background, in milliseconds; 0 for never. */
  readonly validateIntervalMs: number;
  /** How long opening one may take, and `onConnect` after it, in milliseconds each. */
  readonly connectTimeoutMs: number;
  /** Prepares each new connection before its first call; undefined for nothing. */
  readonly onConnect: OnConnect | undefined;
  /** What is done to a connection that comes back before others get it. */
  readonly resetOnRelease: ResetOnRelease;
  /** Whether idle connections let the process end. */
  readonly allowExitOnIdle: boolean;
  /** Dice for lifetimes and for the pauses between attempts to connect. */
  readonly random: Random;
}

/** The options of `LifecycleOptions` by name, for an adapter's own check. */
export const LIFECYCLE_OPTIONS: readonly (keyof LifecycleOptions)[] = [
  "max",
  "min",
  "start",
  "idleTimeoutMs",
  "maxLifetimeMs",
  "maxUses",
  "validateAfterIdleMs",
  "validateIntervalMs",
  "connectTimeoutMs",
  "onConnect",
  "resetOnRelease",
  "allowExitOnIdle",
  "random",
];

/**
 * Checks the options and fills in the defaults.
 * @throws OptionError when one is out of range, or `min` is above `max`.
 */
export function checkLifecycle(options: LifecycleOptions): Lifecycle {
  const { onConnect, resetOnRelease = false, random = Math.random } = options;
  const { min, max } = checkBounds(options.min ?? 0, options.max ?? 10);
  if (onConnect !== undefined && typeof onConnect !== "function")
    throw new OptionError("onConnect", onConnect, "a function");
  if (typeof resetOnRelease !== "function" && resetOnRelease !== false && resetOnRelease !== "discard-all")
    throw new OptionError("resetOnRelease", resetOnRelease, 'false, "discard-all" or a function');
  if (typeof random !== "function") throw new OptionError("random", random, "a function");
  return {
    max,
    min,
    replaces: true,
    start: oneOf("start", options.start ?? "lazy", ["lazy", "eager"]),
    idleTimeoutMs: nonNegativeMs("idleTimeoutMs", options.idleTimeoutMs ?? 60_000),
    maxLifetimeMs: nonNegativeMs("maxLifetimeMs", options.maxLifetimeMs ?? 1_800_000),
    maxUses: nonNegativeInteger("maxUses", options.maxUses ?? 0),
    validateAfterIdleMs: nonNegativeMs("validateAfterIdleMs", options.validateAfterIdleMs ?? 30_000),
    validateIntervalMs: nonNegativeMs("validateIntervalMs", options.validateIntervalMs ?? 0),
    connectTimeoutMs: positiveMs("connectTimeoutMs", options.connectTimeoutMs ?? 5_000),
    onConnect,
    resetOnRelease,
    allowExitOnIdle: flag("allowExitOnIdle", options.allowExitOnIdle ?? false),
    random,
  };
}

/** @throws OptionError when a bound is out of range, or `min` is above `max`. */
export function checkBounds(min: number, max: number): { readonly min: number; readonly max: number } {
  positiveInteger("max", max);
  if (nonNegativeInteger("min", min) > max) throw new OptionError("min", min, `at most max, which is ${max}`);
  return { min, max };
}
