/**
 * Fails when a gate has left something running: a process that was started with the temporary folder of this run. Ends what
 * it finds. Argument: that folder.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const [folder = ""] = process.argv.slice(2);

/** How long whatever is just ending may take, in milliseconds. */
const GRACE_MS = 20_000;

function of(pid: number, what: "environ" | "cmdline"): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** This process and those that it was started by. */
function ownLine(): Set<number> {
  const line = new Set<number>();
  for (let pid = process.pid; pid > 1 && !line.has(pid); pid = parentOf(pid)) line.add(pid);
  return line;
}

function leftovers(): number[] {
  const own = ownLine();
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && !own.has(pid))
    .filter((pid) => of(pid, "cmdline") !== "")
    .filter((pid) => of(pid, "environ").includes(folder) || of(pid, "cmdline").includes(folder));
}

if (process.platform !== "linux") {
  console.log("processes are only looked for on Linux");
  process.exitCode = 75;
} else {
  const until = performance.now() + GRACE_MS;
  while (leftovers().length > 0 && performance.now() < until) await delay(200);
  for (const pid of leftovers()) {
    console.log(`left running: ${pid} ${of(pid, "cmdline")}`);
    process.exitCode = 1;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has gone by itself.
    }
  }
}
