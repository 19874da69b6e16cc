/**
 * A Breakwater pool on node-postgres.
 */
import {
  ADAPTER_OPTIONS,
  type AdapterOptions,
  checkLifecycle,
  type Dialect,
  driverPool,
  flag,
  knownOptions,
  LIFECYCLE_OPTIONS,
  type LifecycleOptions,
  OptionError,
  type Pool,
  positiveMs,
  systemClock,
} from "@breakwater/core";
import { Pooler, type PoolerOption, postgres } from "@breakwater/postgres";
import { checkPgSource, configOf, describe, isPgPool, lifecycleOf, ownLimit, type PgSource } from "./config.ts";
import { PgDriver } from "./driver.ts";
import { PgPoolDriver } from "./pool-driver.ts";
import { checkWire, type PipelineOptions } from "./wire/options.ts";
import type { PrepareOption } from "./wire/texts.ts";

/** How connections live is said here, or in the way of `pg.Pool` in the configuration; what is said here goes first. */
export interface FromPgOptions extends AdapterOptions, LifecycleOptions {
  /** Whether `close()` also ends a `pg.Pool` that was given. @default true */
  readonly closePool?: boolean;
  /**
   * Whether statements are prepared, each under a name on the connections that use it: always; from their second use on,
   * and no more once the server turns out to have lost one (`auto`), as behind a pooler that changes servers; or never.
   * Not on a `pg.Pool` that was given. @default "auto"
   */
  readonly prepare?: PrepareOption;
  /**
   * Whether single reads share a few connections: those whose text has been seen to be quick. Statements that may write,
   * transactions and sessions have a connection of their own in any case. Not on a `pg.Pool` that was given. @default true
   */
  readonly pipeline?: boolean | PipelineOptions;
  /**
   * Whether a pooler such as PgBouncer stands in front of the server. In transaction mode what lasts as long as a session
   * is refused, and statements are prepared only where the pooler is seen to keep what is prepared. `auto` finds out with
   * the first connection. Not on a `pg.Pool` that was given. @default "auto"
   */
  readonly pooler?: PoolerOption;
}

/**
 * Makes a pool of a connection string, a configuration of `pg`, or a `pg.Pool`. Connects at the first call, unless
 * `start` is `eager`.
 * @throws OptionError when an option is unknown or out of range, a connection string is malformed, or it is said how the
 * connections of a `pg.Pool` are to live, which its owner has said.
 */
export function fromPg(source: PgSource, options: FromPgOptions = {}): Pool {
  knownOptions("fromPg", options, [
    ...ADAPTER_OPTIONS,
    ...LIFECYCLE_OPTIONS,
    "closePool",
    "prepare",
    "pipeline",
    "pooler",
  ]);
  const { name, acquireTimeoutMs, maxQueued, statementTimeoutMs, clock, closePool, ...how } = options;
  const { prepare, pipeline, pooler, ...lifecycle } = how;
  // What a pooler would put apart is not even begun.
  const asked = checkWire(prepare, pipeline);
  const wire = pooler === "transaction" ? { ...asked, pipeline: undefined } : asked;
  const closes = flag("closePool", closePool ?? true);
  checkPgSource("source", source);
  const adapter = {
    // What `pg` calls the connection timeout also bounds the wait for a connection to become free.
    ...ownLimit(source),
    name: name ?? describe(source),
    ...defined({ acquireTimeoutMs, maxQueued, statementTimeoutMs, clock }),
  };
  if (isPgPool(source)) {
    const driver = new PgPoolDriver(source, closes, connectLimit(lifecycle));
    const pool = driverPool(driver, notAskedFor(pooler), adapter);
    driver.tell(pool.events, pool.name);
    return pool;
  }
  // The `min` of a configuration is `pg`'s: it spares connections that are there, and opens none.
  const replaces = options.min !== undefined;
  const checked = { ...checkLifecycle({ ...lifecycleOf("source", source), ...defined(lifecycle) }), replaces };
  const driver = new PgDriver(
    adapter.name,
    configOf(source),
    checked,
    wire,
    clock ?? systemClock,
    (found) => new Pooler(pooler, { found, prepares: wire.prepare !== false }),
  );
  const pool = driverPool(driver, driver.dialect, adapter);
  driver.tell(pool.events, pool.name);
  // Who wants to know waits for `ready()`; a failure is an event, and is tried again.
  if (checked.start === "eager") pool.ready?.().catch(() => undefined);
  return pool;
}

/** @throws OptionError when a pooler is named beside a `pg.Pool`, whose clients are its owner's. */
function notAskedFor(pooler: PoolerOption | undefined): Dialect {
  if (pooler !== undefined) throw new OptionError("pooler", pooler, "left out", "cannot be given beside a pg.Pool");
  return postgres;
}

/** The one limit that is ours for a pool of somebody else: that of probes. */
function connectLimit({ connectTimeoutMs, ...others }: LifecycleOptions): number {
  for (const [option, value] of Object.entries(others)) {
    const complaint = "cannot be given beside a pg.Pool, whose owner says how its connections live";
    if (value !== undefined) throw new OptionError(option, value, "left out", complaint);
  }
  return positiveMs("connectTimeoutMs", connectTimeoutMs ?? 5_000);
}

function defined<Options extends object>(options: Options): { [Key in keyof Options]?: NonNullable<Options[Key]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
