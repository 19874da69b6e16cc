/** Sends identical reads that are under way at the same time once. */
export { coalesce, type CoalesceOptions } from "./coalesce.ts";
