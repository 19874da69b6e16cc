import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    // Starting a real cluster on a loaded machine takes up to ten seconds.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A rejection that nobody handles fails the run, even when every test passed.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
