/**
 * Reads what people have (a connection string, a configuration, a pool), and says what is wrong with it.
 */
import {
  flag,
  type LifecycleOptions,
  MAX_MS,
  nonNegativeInteger,
  nonNegativeMs,
  OptionError,
  positiveInteger,
} from "@breakwater/core";
import pg from "pg";
import type { PgConfig, PgPool } from "./types.ts";

/** A connection string, a configuration of `pg`, or a `pg.Pool` that exists. */
export type PgSource = string | PgConfig | PgPool;

/** Whether `source` is a `pg.Pool` of any version. */
export function isPgPool(source: unknown): source is PgPool {
  const pool = source as Partial<PgPool> | null | undefined;
  return (
    typeof pool === "object" && pool !== null && typeof pool.connect === "function" && typeof pool.end === "function"
  );
}

/** @throws OptionError naming `option` when a source cannot lead to a server. */
export function checkPgSource(option: string, source: PgSource): void {
  if (!isPgPool(source)) checkConfig(option, typeof source === "string" ? { connectionString: source } : source);
  else if (source.ended === true || source.ending === true)
    throw new OptionError(option, describe(source), "a pool that is open");
}

/** The configuration that a source stands for. */
export function configOf(source: string | PgConfig): PgConfig {
  return typeof source === "string" ? { connectionString: source } : source;
}

/** What a source says of how long to wait for a connection. */
export function ownLimit(source: PgSource): { readonly acquireTimeoutMs?: number } {
  const { connectionTimeoutMillis: ownMs } = isPgPool(source) ? source.options : configOf(source);
  return typeof ownMs === "number" && ownMs > 0 ? { acquireTimeoutMs: ownMs } : {};
}

/** How connections live, as a configuration says it in the words of `pg.Pool`. @throws OptionError naming `option`. */
export function lifecycleOf(option: string, source: string | PgConfig): LifecycleOptions {
  const config = configOf(source);
  const { min, idleTimeoutMillis, maxLifetimeSeconds, maxUses, allowExitOnIdle } = config;
  const max = config.max ?? config["poolSize"];
  const said = (value: unknown): boolean => value !== undefined && value !== null;
  return {
    ...(said(max) ? { max: positiveInteger(`${option}.max`, max) } : {}),
    ...(said(min) ? { min: nonNegativeInteger(`${option}.min`, min) } : {}),
    ...(said(idleTimeoutMillis)
      ? { idleTimeoutMs: nonNegativeMs(`${option}.idleTimeoutMillis`, idleTimeoutMillis) }
      : {}),
    ...(said(maxLifetimeSeconds) ? { maxLifetimeMs: seconds(`${option}.maxLifetimeSeconds`, maxLifetimeSeconds) } : {}),
    ...(said(maxUses)
      ? { maxUses: maxUses === Number.POSITIVE_INFINITY ? 0 : nonNegativeInteger(`${option}.maxUses`, maxUses) }
      : {}),
    ...(said(allowExitOnIdle) ? { allowExitOnIdle: flag(`${option}.allowExitOnIdle`, allowExitOnIdle) } : {}),
  };
}

function seconds(option: string, value: unknown): number {
  if (typeof value !== "number" || !(value >= 0 && value * 1_000 <= MAX_MS))
    throw new OptionError(option, value, `seconds from 0 to ${Math.floor(MAX_MS / 1_000)}`);
  return value * 1_000;
}

/** Where a source leads, for names in messages: host, port and database, never a password. */
export function describe(source: PgSource): string {
  if (isPgPool(source)) return describe(source.options as PgConfig);
  const config = typeof source === "string" ? { connectionString: source } : source;
  try {
    // A stream of the user's own making is made for connections, not for names.
    const client = new pg.Client({ ...config, stream: undefined } as object);
    return `${client.host}:${client.port}/${client.database ?? ""}`;
  } catch {
    return "postgresql";
  }
}

function checkConfig(option: string, config: PgConfig): void {
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new OptionError(option, config, "a connection string, a pg configuration or a pg.Pool");
  }
  const { connectionString, port, max } = config;
  if (connectionString !== undefined) checkConnectionString(option, connectionString);
  if (max !== undefined) positiveInteger(`${option}.max`, max);
  if (port !== undefined && !isPort(port)) {
    throw new OptionError(`${option}.port`, port, "a whole number from 1 to 65535");
  }
}

function checkConnectionString(option: string, given: unknown): void {
  const expected = 'a connection string such as "postgres://user@host:5432/database"';
  if (typeof given !== "string" || given === "") throw new OptionError(option, given, expected);
  // A path to a socket is also one, in the way of pg.
  const known = /^(?:postgres|postgresql):\/\/|^socket:|^\//.test(given);
  try {
    if (!known) throw new Error("no scheme");
    const { port } = new pg.Client({ connectionString: given });
    if (!isPort(port)) throw new Error("no port");
  } catch {
    throw new OptionError(option, given, expected);
  }
}

/** A port is also taken as a text, as pg takes it. */
function isPort(port: unknown): boolean {
  const number = Number(port);
  return Number.isInteger(number) && number >= 1 && number <= 65_535;
}
