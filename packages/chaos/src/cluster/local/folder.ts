/** The folder below the system's temporary folder where binaries and templates are kept between runs. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setupError } from "../../errors.ts";
import type { Reaper } from "./reaper.ts";
import { owner } from "./run.ts";

/**
 * Makes the folder, one per user.
 *
 * @throws ChaosError ERR_BREAKWATER_CHAOS_SETUP when somebody else could put a program of his there, or when the servers'
 * user cannot get in.
 */
export function runtimeFolder(): string {
  const folder = path.join(os.tmpdir(), `breakwater-chaos-${process.getuid?.() ?? os.userInfo().username}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const found = lstatSync(folder);
  const mine = process.getuid === undefined || found.uid === process.getuid();
  if (!found.isDirectory() || !mine || (found.mode & 0o022) !== 0) {
    throw setupError(`${folder} belongs to somebody else or may be written by others; set TMPDIR to another folder`);
  }
  chmodSync(folder, 0o755); // whatever the umask made of it
  if (owner !== undefined) requireWayIn(folder);
  // A new file costs ext4 half a millisecond where many were just removed, as clusters are all the time. Marked like this, it
  // puts each folder below in another part of the disk: a copy takes a tenth of the time. Elsewhere it fails, and may.
  if (process.platform === "linux") spawnSync("chattr", ["+T", folder], { stdio: "ignore" });
  return folder;
}

/** A new folder that the servers' user may write and the rest of the world may only enter. */
export function newFolder(parent: string, prefix: string): string {
  const folder = mkdtempSync(path.join(parent, prefix));
  chmodSync(folder, owner === undefined ? 0o700 : 0o755);
  give(folder);
  return folder;
}

/** Lets the servers' user own what was written for it. */
export function give(file: string): void {
  if (owner !== undefined) chownSync(file, owner.uid, owner.gid);
}

/**
 * Makes a folder that others may look for at any time: it appears in its place in one step, finished or not at all. Of several
 * makers the first wins.
 *
 * @param make fills the folder whose path it is given, which does not exist yet.
 */
export async function publish(place: string, reaper: Reaper, make: (target: string) => Promise<void>): Promise<void> {
  const half = newFolder(path.dirname(place), "unfinished-");
  await reaper.keep(half);
  try {
    const target = path.join(half, "data");
    await make(target);
    renameSync(target, place);
  } catch (error) {
    if (!exists(place)) throw error;
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

export function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** Under root the servers run as another user, for whom a folder such as /root is closed. */
function requireWayIn(folder: string): void {
  for (let at = folder; at !== path.dirname(at); at = path.dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) {
      throw setupError(
        `${at} cannot be entered by uid ${owner?.uid}, which the servers run as; set TMPDIR to another folder`,
      );
    }
  }
}
