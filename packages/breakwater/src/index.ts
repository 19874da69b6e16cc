/** The resilience layer for SQL connection pools: the recommended stack, and every part of it. */
export * from "@breakwater/core";
export * from "@breakwater/policies";
export { classify, postgres } from "@breakwater/postgres";
export { fromPg, type FromPgOptions, type PgConfig, type PgPool, type PgSource } from "@breakwater/pg";
export { BreakwaterDatabase, type BreakwaterTopology } from "./breakwater-database.ts";
export { breakwater, type BreakwaterNode, type BreakwaterOptions } from "./breakwater.ts";
export { type OverloadOptions } from "./overload.ts";
export { type BreakwaterSource } from "./source.ts";
