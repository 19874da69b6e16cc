/** What is left when a test runner is killed: nothing, five seconds later. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ROOT } from "../packages/tree.ts";
import { alive } from "../support/processes.ts";
import { until } from "../support/wait.ts";

/** The promise. */
const GONE_MS = 5_000;

describe("a test runner that is killed", () => {
  it.each(["forks", "threads"])("leaves no server after five seconds: %s", { timeout: 120_000 }, async (pool) => {
    const folder = await mkdtemp(path.join(tmpdir(), "breakwater-killed-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = path.join(folder, "pids");
    const notVitests = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST")));
    const runner = spawn(
      process.execPath,
      [path.join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--config", "test/clusters/runner/vitest.config.ts"],
      { cwd: ROOT, stdio: "ignore", env: { ...notVitests, PIDS: file, POOL: pool } },
    );
    onTestFinished(() => void runner.kill("SIGKILL"));
    const read = (): Promise<string> => readFile(file, "utf8").catch(() => "");
    await until(
      () => "the runner to have its servers",
      async () => (await read()) !== "",
      60_000,
    );
    const pids = (await read()).split("\n").map(Number);
    expect(pids).toHaveLength(3);
    expect(alive(pids)).toEqual(pids);
    runner.kill("SIGKILL");
    await once(runner, "exit");
    await until(
      () => `the servers ${alive(pids).join(", ")} to be gone`,
      () => alive(pids).length === 0,
      GONE_MS,
    );
  });
});
