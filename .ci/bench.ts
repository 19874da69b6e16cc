/**
 * Measures the layer against the bare pool and fails when a ratio is far from what is promised, twice: one bad moment of the
 * machine is no broken promise.
 */
import { spawnSync } from "node:child_process";
import path from "node:path";

const program = path.join(import.meta.dirname, "../test/bench/main.ts");

/** The promises that one run did not keep, each with what it was found to be. @throws Error when the run itself failed. */
function broken(): Map<string, string> {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "--check"], { encoding: "utf8" });
  console.log(stdout);
  const lines = stderr.split("\n").filter((line) => line.includes(", promised "));
  if (status !== 0 && lines.length === 0) throw new Error(`the run failed:\n${stderr}`);
  return new Map(lines.map((line) => [line.replace(/: [^:]*$/, ""), line]));
}

const once = broken();
if (once.size > 0) {
  console.log(`Not kept, so measured again:\n${[...once.values()].join("\n")}\n`);
  const twice = [...broken()].filter(([promise]) => once.has(promise));
  for (const [, line] of twice) console.log(`FAILED: ${line}`);
  if (twice.length > 0) process.exitCode = 1;
}
