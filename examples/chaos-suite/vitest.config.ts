/** `npx vitest run --config examples/chaos-suite/vitest.config.ts` */
import path from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: import.meta.dirname,
  cacheDir: path.join(import.meta.dirname, "../node_modules/.vite"),
  test: {
    include: ["*.test.ts"],
    // A cluster is started for each test: about a second, more on a busy machine.
    testTimeout: 60_000,
  },
});
