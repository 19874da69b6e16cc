/** Breakwater pools on node-postgres. */
export { checkPgSource, isPgPool, type PgSource } from "./config.ts";
export { copyRows } from "./copy-rows.ts";
export { fromPg, type FromPgOptions } from "./from-pg.ts";
export { asPgPool } from "./face/as-pg-pool.ts";
export type { AsPgPoolOptions } from "./face/options.ts";
export { Client } from "./face/stacked-client.ts";
export type { ClientFaceOptions, PgClientConfig } from "./face/client-options.ts";
export { Pool, type PgPoolConfig, type PgStack } from "./face/pool.ts";
export type { PgClient, PgConfig, PgLink, PgPool } from "./types.ts";
