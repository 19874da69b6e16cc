/**
 * The long runs: `vitest run --config test/chaos/vitest.config.ts`. `BREAKWATER_SEED` replays one, `BREAKWATER_ROUNDS`
 * sets how many rounds there are.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/chaos/long/**/*.long.ts"],
    // One file at a time: each starts servers of its own.
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 60_000,
  },
});
