/** Breakwater pools on postgres.js. */
export { type PostgresJsSource } from "./config.ts";
export { fromPostgresJs, type FromPostgresJsOptions } from "./from-postgres-js.ts";
export { type PoolerOption } from "@breakwater/postgres";
export { type PrepareOption } from "./prepared.ts";
export { type PostgresJsConfig } from "./types.ts";
