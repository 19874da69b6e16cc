import { defineConfig } from "vitest/config";

/** Where a report for machines is written as well, when one is wanted. */
const report = process.env["BREAKWATER_TEST_REPORT"];

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    // Starting a real cluster on a loaded machine takes up to ten seconds.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A rejection that nobody handles fails the run, even when every test passed.
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
  },
});
