/**
 * The module `pg` with `Pool` replaced: for code that says `import { Pool } from "pg"`, and for libraries that are given
 * a driver module.
 */
import pg from "pg";
import { Pool } from "./pg-pool.ts";

export * from "pg";
export { Pool, type PoolConfig } from "./pg-pool.ts";

/** The module as one object, which is what `import pg from "pg"` gives. */
const driver: Omit<typeof pg, "Pool"> & { readonly Pool: typeof Pool } = Object.create(pg, {
  Pool: { value: Pool, enumerable: true, configurable: true, writable: true },
}) as never;

// oxlint-disable-next-line import/no-default-export -- `pg` has one, and this stands in its place
export default driver;
