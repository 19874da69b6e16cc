/** Runs failed calls again. */
export type { Jitter } from "./backoff.ts";
export * from "./events.ts";
export type { RetryOptions } from "./options.ts";
export * from "./retry.ts";
