/** Looks at the processes of this machine. Needs nothing installed on Linux; elsewhere `ps`. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  /** State letter of the system: T, stopped; Z, ended but not collected by its parent, which is as good as gone. */
  readonly state: string;
}

/** Every process that can be seen at this moment. */
export function listProcesses(): ProcessInfo[] {
  if (process.platform === "linux") {
    return readdirSync("/proc").flatMap((entry) => (/^\d+$/.test(entry) ? (readStat(Number(entry)) ?? []) : []));
  }
  return execFileSync("ps", ["-axo", "pid=,ppid=,stat="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 3)
    .map(([pid, parent, stat]) => ({
      pid: Number(pid),
      parent: Number(parent),
      state: stat?.[0] ?? "",
    }));
}

/** Pids of the direct children; a PostgreSQL server has no deeper tree. */
export function childrenOf(pid: number): number[] {
  if (process.platform === "linux") {
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    } catch {
      // The kernel was built without that file, or the process is gone: the list answers both.
    }
  }
  return listProcesses()
    .filter((one) => one.parent === pid)
    .map((one) => one.pid);
}

/** Whether the process runs (or is stopped); a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return process.platform !== "linux" || (readStat(pid)?.state ?? "Z") !== "Z";
}

/** Sends a signal; false when the process is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  if (pid <= 0) throw new RangeError(`pid must be above 0, which would be a whole group, got ${pid}`);
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Stops processes by a signal; returns when they stand still, as a signal takes effect a moment after it was sent. */
export function stopAll(pids: readonly number[]): void {
  let moving = pids.filter((pid) => signal(pid, "SIGSTOP"));
  for (const end = performance.now() + 1000; moving.length > 0 && performance.now() < end;) {
    const states = new Map(process.platform === "linux" ? [] : listProcesses().map((one) => [one.pid, one.state]));
    moving = moving.filter((pid) => !/^[TtZ]?$/.test(states.get(pid) ?? readStat(pid)?.state ?? ""));
  }
}

/** The arguments that the process was started with, or what it calls itself; empty when that cannot be seen. */
export function commandOf(pid: number): string[] {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" })
      .trim()
      .split(" ");
  } catch {
    return [];
  }
}

/** Folder that the process works in; undefined where the system does not tell. */
export function folderOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

function readStat(pid: number): ProcessInfo | undefined {
  try {
    // "pid (name) state ppid …": the name may hold anything, so read from its last bracket on.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { pid, parent: Number(fields[1]), state: fields[0] ?? "" };
  } catch {
    return undefined;
  }
}
