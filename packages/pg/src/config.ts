/**
 * Turns what people have (a connection string, a configuration, a pool) into a `pg.Pool`, and says what is wrong with it.
 */
import { OptionError, positiveInteger } from "@breakwater/core";
import pg from "pg";
import type { PgConfig, PgPool } from "./types.ts";

/** A connection string, a configuration of `pg`, or a `pg.Pool` that exists. */
export type PgSource = string | PgConfig | PgPool;

/** Whether a value is a `pg.Pool` of any version. */
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

/** Makes the pool of a source that has been checked. */
export function pgPool(source: PgSource, connectTimeoutMs: number): PgPool {
  if (isPgPool(source)) {
    // A wait without an end is never wanted; what the owner chose stays.
    source.options.connectionTimeoutMillis ||= connectTimeoutMs;
    return source;
  }
  const config = typeof source === "string" ? { connectionString: source } : source;
  const { connectionTimeoutMillis: own } = config;
  return new pg.Pool({ ...config, connectionTimeoutMillis: own || connectTimeoutMs } as object);
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
