/** What tests of policies and adapters need: a clock that is moved by hand, and a pool and a driver that do what they are told. */
export * from "./fake-driver.ts";
export * from "./fake-pool.ts";
export * from "./manual-clock.ts";
export * from "./conformance/index.ts";
