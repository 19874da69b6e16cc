/** Reads to the replicas, writes to the primary, through failovers. */
export { router, type RouterOptions } from "./router.ts";
