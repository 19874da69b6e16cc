/** Bounds how many calls run and wait. */
export { type Bulkhead, bulkhead } from "./bulkhead.ts";
export * from "./events.ts";
export type { BulkheadLimits, BulkheadOptions, QueueOrder } from "./options.ts";
