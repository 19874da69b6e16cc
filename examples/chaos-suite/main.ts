/**
 * Shows a chaos suite for a service over HTTP: real servers, real faults, and what customers were told judged by what the
 * database holds. The same as `npx vitest run --config examples/chaos-suite/vitest.config.ts`.
 */
import path from "node:path";
import { startVitest } from "vitest/node";

const folder = import.meta.dirname;
const vitest = await startVitest("test", [], {
  root: folder,
  config: path.join(folder, "vitest.config.ts"),
  watch: false,
});
await vitest.close();
