/** For `killed.test.ts`, which starts a test runner of its own and kills it. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: import.meta.dirname,
  test: { include: ["hold.ts"], testTimeout: 600_000, pool: process.env["POOL"] === "threads" ? "threads" : "forks" },
});
