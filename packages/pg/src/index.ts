/** Breakwater pools on node-postgres. */
export { checkPgSource, isPgPool, type PgSource } from "./config.ts";
export { fromPg, type FromPgOptions } from "./from-pg.ts";
export type { PgClient, PgConfig, PgLink, PgPool } from "./types.ts";
