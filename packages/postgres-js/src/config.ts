/**
 * Reads what people have (a connection string, a configuration of postgres.js, an instance of it), and says what is wrong
 * with it.
 */
import { type LifecycleOptions, MAX_MS, OptionError, positiveInteger } from "@breakwater/core";
import postgres from "postgres";
import type { PostgresJsConfig, ReadOptions, SqlInstance } from "./types.ts";

/** A connection string, a configuration of `postgres()`, or what `postgres()` has returned: its options are used. */
export type PostgresJsSource = string | PostgresJsConfig | { readonly options: object };

/** What a source says. */
export interface Reading {
  readonly options: ReadOptions;
  readonly lifecycle: LifecycleOptions;
}

/** @throws OptionError when a source cannot lead to one server. */
export function readSource(source: PostgresJsSource): Reading {
  const options = optionsOf(source);
  const { host, port, target_session_attrs: wanted } = options;
  // Which server is which is observed by the router, and each has a pool of its own.
  if (host.length !== 1)
    throw new OptionError("source.host", host.join(","), "one server; several are nodes of a router");
  if (wanted !== undefined && wanted !== null)
    throw new OptionError("source.target_session_attrs", wanted, "left out; the router finds the primary");
  if (!Number.isInteger(Number(port[0])) || Number(port[0]) < 1 || Number(port[0]) > 65_535)
    throw new OptionError("source.port", port[0], "a whole number from 1 to 65535");
  const said = typeof source === "string" ? {} : isInstance(source) ? source.options : source;
  return { options, lifecycle: lifecycleOf(said as Readonly<Record<string, unknown>>) };
}

/** Where a source leads, for names in messages: host, port and database, never a password. */
export function describe({ host, port, path, database }: ReadOptions): string {
  return `${path || `${host[0]}:${port[0]}`}/${database}`;
}

/** postgres.js reads them itself; nothing is connected by that. */
function optionsOf(source: PostgresJsSource): ReadOptions {
  if (typeof source === "string") {
    if (!/^postgres(?:ql)?:\/\//.test(source)) throw notAString(source);
    try {
      return (postgres(source) as unknown as SqlInstance).options;
    } catch {
      throw notAString(source);
    }
  }
  if (isInstance(source)) return source.options as ReadOptions;
  if (typeof source !== "object" || source === null || Array.isArray(source))
    throw new OptionError("source", source, "a connection string, a configuration of postgres.js or what it returned");
  return (postgres(source as object) as unknown as SqlInstance).options;
}

function notAString(source: string): OptionError {
  return new OptionError("source", source, 'a connection string such as "postgres://user@host:5432/database"');
}

function isInstance(source: PostgresJsSource): source is { readonly options: object } {
  return typeof source === "function" && typeof (source as { readonly options?: unknown }).options === "object";
}

function lifecycleOf(said: Readonly<Record<string, unknown>>): LifecycleOptions {
  const { max, idle_timeout: idle, max_lifetime: life, connect_timeout: connect } = said;
  return {
    ...(max === undefined ? {} : { max: positiveInteger("source.max", Number(max)) }),
    ...(typeof idle === "number" ? { idleTimeoutMs: seconds("idle_timeout", idle) } : {}),
    ...(typeof life === "number" ? { maxLifetimeMs: seconds("max_lifetime", life) } : {}),
    ...(typeof connect === "number" && connect > 0 ? { connectTimeoutMs: seconds("connect_timeout", connect) } : {}),
  };
}

function seconds(option: string, value: number): number {
  if (!(value >= 0 && value * 1_000 <= MAX_MS))
    throw new OptionError(`source.${option}`, value, `seconds from 0 to ${Math.floor(MAX_MS / 1_000)}`);
  return value * 1_000;
}
