/** Chaos tests in Vitest: a test with a cluster, a history and a seed of its own, and matchers that judge histories. */
export { chaosTest, type ChaosFixtures } from "./chaos-test.ts";
export { type HistoryMatchers, historyMatchers } from "./matchers.ts";
