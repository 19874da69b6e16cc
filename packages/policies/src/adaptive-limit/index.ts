/** Bounds the calls that run by what the node can do. */
export { type AdaptiveLimit, adaptiveLimit } from "./adaptive-limit.ts";
export * from "./events.ts";
export type { AdaptiveLimitOptions, AdaptiveLimits } from "./options.ts";
