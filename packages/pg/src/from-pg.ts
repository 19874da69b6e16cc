/**
 * A Breakwater pool on node-postgres.
 */
import {
  ADAPTER_OPTIONS,
  type AdapterOptions,
  driverPool,
  flag,
  knownOptions,
  type Pool,
  positiveMs,
} from "@breakwater/core";
import { postgres } from "@breakwater/postgres";
import { checkPgSource, describe, isPgPool, pgPool, type PgSource } from "./config.ts";
import { PgDriver } from "./driver.ts";

export interface FromPgOptions extends AdapterOptions {
  /** Longest wait for a new connection to be ready, in milliseconds. A pool that has its own limit keeps it. @default 5000 */
  readonly connectTimeoutMs?: number;
  /** Whether `close()` also ends a `pg.Pool` that was given. @default true */
  readonly closePool?: boolean;
}

/**
 * Makes a pool of a connection string, a configuration of `pg`, or a `pg.Pool`. Connects at the first call.
 * @throws OptionError when an option is unknown or out of range, or a connection string is malformed.
 */
export function fromPg(source: PgSource, options: FromPgOptions = {}): Pool {
  knownOptions("fromPg", options, [...ADAPTER_OPTIONS, "connectTimeoutMs", "closePool"]);
  const { connectTimeoutMs, closePool, ...adapterOptions } = options;
  const connectMs = positiveMs("connectTimeoutMs", connectTimeoutMs ?? 5_000);
  const closes = flag("closePool", closePool ?? true);
  checkPgSource("source", source);
  // What `pg` calls the connection timeout also bounds the wait for a connection to become free.
  const { connectionTimeoutMillis: ownMs } = isPgPool(source)
    ? source.options
    : typeof source === "string"
      ? {}
      : source;
  const limits = typeof ownMs === "number" && ownMs > 0 ? { acquireTimeoutMs: ownMs } : {};
  const pool = pgPool(source, connectMs);
  const driver = new PgDriver(pool, closes, connectMs);
  const made = driverPool(driver, postgres, { name: describe(source), ...limits, ...adapterOptions });
  driver.tell(made.events, made.name);
  return made;
}
