/**
 * Reads what people have (a connection string, a configuration), and says what is wrong with it.
 */
import {
  type LifecycleOptions,
  nonNegativeInteger,
  nonNegativeMs,
  OptionError,
  positiveInteger,
} from "@breakwater/core";
import type { Mysql2Config } from "./types.ts";

/** A connection string such as `mysql://user@host:3306/database`, or a configuration of `mysql2`. */
export type Mysql2Source = string | Mysql2Config;

/** What a pool of mysql2 takes besides the options of its connections. */
const OF_POOLS: ReadonlySet<string> = new Set([
  "connectionLimit",
  "maxIdle",
  "idleTimeout",
  "queueLimit",
  "waitForConnections",
  "resetOnRelease",
  "gracefulEnd",
]);

/** Statements that mysql2 keeps prepared on a connection, unless told otherwise. Its own bound is the server's, for all. */
const MAX_PREPARED = 256;

/** @throws OptionError naming `option` when a source cannot lead to a server. */
export function checkSource(option: string, source: Mysql2Source): void {
  if (typeof source === "string") checkUri(option, source);
  else if (typeof source !== "object" || source === null || Array.isArray(source))
    throw new OptionError(option, source, "a connection string or a mysql2 configuration");
  else {
    const { uri, port } = source;
    if (uri !== undefined) checkUri(`${option}.uri`, uri);
    if (port !== undefined && !isPort(port))
      throw new OptionError(`${option}.port`, port, "a whole number from 1 to 65535");
    if (typeof (source as { readonly query?: unknown }).query === "function")
      throw new OptionError(option, source, "a configuration, not a pool or connection of mysql2");
  }
}

/** The configuration of one connection. It is made anew for each: mysql2 writes into it. */
export function connectionConfig(source: Mysql2Source, connectTimeoutMs: number): Record<string, unknown> {
  const given = typeof source === "string" ? { uri: source } : source;
  const own = Object.entries(given).filter(([key, value]) => !OF_POOLS.has(key) && value !== undefined);
  return { connectTimeout: connectTimeoutMs, maxPreparedStatements: MAX_PREPARED, ...Object.fromEntries(own) };
}

/** How connections live, as a configuration says it in the words of a pool of mysql2. @throws OptionError naming `option`. */
export function lifecycleOf(option: string, source: Mysql2Source): LifecycleOptions {
  if (typeof source === "string") return {};
  const { connectionLimit, idleTimeout } = source;
  return {
    ...(connectionLimit === undefined ? {} : { max: positiveInteger(`${option}.connectionLimit`, connectionLimit) }),
    ...(idleTimeout === undefined ? {} : { idleTimeoutMs: nonNegativeMs(`${option}.idleTimeout`, idleTimeout) }),
  };
}

/** How many may wait, as a configuration says it, where 0 is no limit. @throws OptionError naming `option`. */
export function queueOf(option: string, source: Mysql2Source): { readonly maxQueued?: number } {
  const queueLimit = typeof source === "string" ? undefined : source["queueLimit"];
  if (queueLimit === undefined) return {};
  const maxQueued = nonNegativeInteger(`${option}.queueLimit`, queueLimit);
  return maxQueued === 0 ? {} : { maxQueued };
}

/** Where a source leads, for names in messages: host, port and database, never a password. */
export function describe(source: Mysql2Source): string {
  const config = typeof source === "string" ? { uri: source } : source;
  const parsed = config.uri === undefined ? undefined : URL.parse(config.uri);
  const host = config.socketPath ?? config.host ?? (parsed?.hostname || "localhost");
  const port = config.socketPath === undefined ? `:${config.port ?? (parsed?.port || 3306)}` : "";
  return `${host}${port}/${config.database ?? parsed?.pathname.slice(1) ?? ""}`;
}

function checkUri(option: string, uri: unknown): void {
  const parsed = typeof uri === "string" ? URL.parse(uri) : null;
  if (parsed === null || !/^(?:mysql|mysqlx|mariadb):$/.test(parsed.protocol) || parsed.hostname === "")
    throw new OptionError(option, uri, 'a connection string such as "mysql://user@host:3306/database"');
}

/** A port is also taken as a text, as mysql2 takes it. */
function isPort(port: unknown): boolean {
  const number = Number(port);
  return Number.isInteger(number) && number >= 1 && number <= 65_535;
}
