/**
 * Ends every server that has its data below a folder, then removes the folder.
 *
 * Runs inside the reaper, and in the kit's own process when the reaper is gone. A pid alone is never trusted, neither one that
 * was told nor one in a postmaster.pid: the process must have been started with its data below the folder.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { childrenOf, commandOf, folderOf, isAlive, listProcesses, signal } from "./processes.ts";

/** Time that servers get to go on their own, in milliseconds. */
const graceMs = 3000;
const limitMs = 20_000;

/**
 * @param folder made by the kit, with a name that nothing else has.
 * @param pids postmasters that were told; others are found below the folder.
 */
export async function sweep(folder: string, pids: Iterable<number>): Promise<void> {
  const started = performance.now();
  const told = [...pids];
  const asked = new Set<number>();
  for (;;) {
    const late = performance.now() - started > graceMs;
    const servers = new Set([...told, ...foundBelow(folder)].filter((pid) => isAlive(pid) && isOurs(pid, folder)));
    const children = new Set([...servers].flatMap(childrenOf));
    const orphans = orphansBelow(folder).filter((pid) => !servers.has(pid) && !children.has(pid));
    if (servers.size + orphans.length === 0 || performance.now() - started > limitMs) break;
    for (const pid of children) signal(pid, late ? "SIGKILL" : "SIGCONT");
    for (const pid of orphans) signal(pid, "SIGKILL");
    for (const pid of servers) {
      // A stopped process acts on no signal but SIGKILL: it has to go on to go.
      signal(pid, "SIGCONT");
      if (late) signal(pid, "SIGKILL");
      else if (!asked.has(pid)) signal(pid, "SIGQUIT");
      asked.add(pid);
    }
    await delay(20);
  }
  await Promise.allSettled(dataFolders(folder).map(removeData));
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

/** First line of postmaster.pid: the pid; the seventh: key and id of the System V segment. */
export function readPidFile(
  dataFolder: string,
): { pid: number; segment: string | undefined; status: string } | undefined {
  try {
    const lines = readFileSync(path.join(dataFolder, "postmaster.pid"), "utf8").split("\n");
    const segment = lines[6]?.trim().split(/\s+/)[1];
    // Negative for a server in single-user mode.
    return { pid: Math.abs(Number(lines[0])), segment, status: lines[7]?.trim() ?? "" };
  } catch {
    return undefined;
  }
}

/** Pids die and are given to others, so only what the process was started with counts: no other has this folder. */
function isOurs(pid: number, folder: string): boolean {
  return commandOf(pid).join(" ").includes(`-D ${folder}${path.sep}`);
}

/** Servers that were started a moment before the end, so that nobody told us, and initdb. */
function foundBelow(folder: string): number[] {
  const listed = dataFolders(folder).flatMap((data) => readPidFile(data)?.pid ?? []);
  const seen = process.platform === "linux" ? listProcesses().map((one) => one.pid) : [];
  return [...listed, ...seen.filter((pid) => pid !== process.pid && isOurs(pid, folder))];
}

/** Children whose postmaster was killed while they were stopped: they cannot notice. */
function orphansBelow(folder: string): number[] {
  if (process.platform !== "linux") return [];
  return listProcesses()
    .filter((one) => one.state !== "Z" && one.pid !== process.pid)
    .map((one) => one.pid)
    .filter((pid) => folderOf(pid)?.startsWith(folder + path.sep) && commandOf(pid)[0]?.startsWith("postgres:"));
}

function dataFolders(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(folder, entry.name));
  } catch {
    return [];
  }
}

/**
 * Removes a data directory that no server uses any more, and what a server ended by SIGKILL leaves outside of it: a small System V
 * segment, which only the next start would remove.
 */
export async function removeData(dataFolder: string): Promise<void> {
  const segment = readPidFile(dataFolder)?.segment;
  if (segment !== undefined) await new Promise<void>((done) => execFile("ipcrm", ["-m", segment], () => done()));
  rmSync(dataFolder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}
