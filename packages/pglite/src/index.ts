/** Breakwater pools on PGlite. */
export { fromPglite, type FromPgliteOptions, type PgliteSource } from "./from-pglite.ts";
export { type PgliteInstance, type PgliteResult } from "./types.ts";
