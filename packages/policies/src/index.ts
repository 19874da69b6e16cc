/** Policies for any Breakwater pool. */
export * from "./adaptive-limit/index.ts";
export * from "./autosize/index.ts";
export * from "./budget/index.ts";
export * from "./bulkhead/index.ts";
export * from "./chaos/index.ts";
export * from "./circuit-breaker/index.ts";
export * from "./coalesce/index.ts";
export * from "./commit-resolution/index.ts";
export * from "./destinations/index.ts";
export * from "./fallback/index.ts";
export * from "./hedge/index.ts";
export * from "./leak-watch/index.ts";
export * from "./retry/index.ts";
export * from "./router/index.ts";
export * from "./throttle/index.ts";
export * from "./timeout/index.ts";
