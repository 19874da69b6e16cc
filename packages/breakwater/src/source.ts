/**
 * What a node of the stack may be made of.
 */
import { type Clock, OptionError, type Pool } from "@breakwater/core";
import { checkPgSource, fromPg, type FromPgOptions, type PgSource } from "@breakwater/pg";
import { withMax } from "./environment.ts";

/** What leads to a server by `pg`, or a pool that an adapter has made, which is used as it is. */
export type BreakwaterSource = PgSource | Pool;

/** Whether a source is a pool of the layer's own kind. */
export function isPool(source: BreakwaterSource): source is Pool {
  const pool = source as Partial<Pool> | null;
  return typeof pool === "object" && pool !== null && typeof pool.execute === "function" && "dialect" in pool;
}

/** The pool of a source. @throws OptionError naming `option` when a source cannot lead to a server. */
export function poolOf(
  option: string,
  source: BreakwaterSource,
  { max, ...options }: Omit<FromPgOptions, "name" | "clock">,
  shared: { readonly clock?: Clock },
): Pool {
  if (isPool(source)) return source;
  checkPgSource(option, source);
  return fromPg(withMax(source, max), { ...options, ...shared });
}

/** What another address is put into. @throws OptionError when a source is a pool, which has its own. */
export function addressable(source: BreakwaterSource): PgSource {
  if (isPool(source))
    throw new OptionError("breakwater.router.connect", undefined, "a function, where the primary is a pool of its own");
  return source;
}
