/** The contract of Breakwater: what pools, operations, policies, dialects, adapters and failures are. */
export * from "./adapter.ts";
export * from "./bounded.ts";
export * from "./causality.ts";
export * from "./clock.ts";
export * from "./database.ts";
export * from "./dialect.ts";
export * from "./driver.ts";
export * from "./errors.ts";
export * from "./events.ts";
export * from "./failure.ts";
export * from "./operation.ts";
export * from "./options.ts";
export * from "./permits.ts";
export * from "./policy.ts";
export * from "./pool.ts";
export * from "./transaction.ts";
