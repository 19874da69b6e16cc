import { defineConfig } from "vitest/config";

/** Where a report for machines is written as well, when one is wanted. */
const report = process.env["BREAKWATER_TEST_REPORT"];

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    // What hangs is ended; whatever only takes its time, with real servers on a machine that is short of it, is not.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    // A rejection that nobody handles fails the run, even when every test passed.
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
  },
});
