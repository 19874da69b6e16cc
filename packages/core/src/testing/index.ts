/** What tests of policies and adapters need: a clock that is moved by hand, and a pool that does what it is told. */
export * from "./fake-pool.ts";
export * from "./manual-clock.ts";
