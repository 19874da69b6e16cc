/**
 * What people give to `pg`'s `query`, as a statement of the layer.
 */
import type { Statement } from "@breakwater/core";

/** A query configuration as `pg` takes it: what the layer does not know (`types`, `queryMode` …) is passed on. */
type QueryConfig = { readonly [option: string]: unknown };

/**
 * Makes a statement of a text or a configuration, and values that go before those of the configuration.
 * @throws Error with the words of `pg` when it is none.
 */
export function pgStatement(config: unknown, values: unknown): Statement {
  if (config === undefined || config === null) throw new TypeError("Client was passed a null or undefined query");
  const given = typeof config === "object" ? whole(config as QueryConfig) : { text: config };
  const { callback: _, ...rest } = given;
  const { text, name } = rest;
  if (typeof text !== "string" && typeof name !== "string") {
    throw new Error("A query must have either text or a name. Supplying neither is unsupported.");
  }
  // A statement that is known by its name alone has an empty text: `pg` sends neither.
  const statement = { ...rest, text: typeof text === "string" ? text : "" } as Statement;
  return values ? { ...statement, values: values as unknown[] } : statement;
}

/** What a configuration may say, also by a class that makes its text when it is asked for it, as tagged templates do. */
const SAID = ["text", "values", "name", "rowMode", "types", "binary", "queryMode", "rows", "portal", "query_timeout"];

function whole(config: QueryConfig): QueryConfig {
  const prototype: unknown = Object.getPrototypeOf(config);
  if (prototype === Object.prototype || prototype === null) return config;
  const inherited = SAID.filter((option) => option in config && !Object.hasOwn(config, option));
  return { ...config, ...Object.fromEntries(inherited.map((option) => [option, config[option]])) };
}
