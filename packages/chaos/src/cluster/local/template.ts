/** A freshly initialised data directory, made once per version and then only copied. */
import { createHash } from "node:crypto";
import path from "node:path";
import type { Binaries } from "./binaries.ts";
import { exists, publish } from "./folder.ts";
import type { Reaper } from "./reaper.ts";
import { run } from "./run.ts";

/** Without `--no-sync`: a template outlives the run, and must not be left half-written by a power cut. */
const initdbArguments = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"];

/** Clusters that start at the same time in one process share the work. */
const inProgress = new Map<string, Promise<string>>();

/** @returns path of a data directory that must only be read. */
export function template(binaries: Binaries, runtime: string, reaper: Reaper): Promise<string> {
  const key = createHash("sha256")
    // Not by the folder's path: test suites name the same programs by many paths, and a template takes 40 MB.
    .update(JSON.stringify([binaries.version, binaries.size, initdbArguments]))
    .digest("hex")
    .slice(0, 16);
  const place = path.join(runtime, `template-${key}`);
  if (exists(place)) return Promise.resolve(place);
  let making = inProgress.get(place);
  if (making === undefined) {
    making = make(binaries, place, reaper).finally(() => inProgress.delete(place));
    inProgress.set(place, making);
  }
  return making;
}

async function make(binaries: Binaries, place: string, reaper: Reaper): Promise<string> {
  await publish(place, reaper, async (data) => {
    await run(path.join(binaries.folder, "initdb"), ["-D", data, ...initdbArguments]);
  });
  return place;
}

/** Copies a data directory that no server uses. */
export async function copyTree(from: string, to: string): Promise<void> {
  // The system's own tool is fast, and runs as the servers' user, who then owns the copy.
  await run("cp", ["-Rp", from, to]);
}

/**
 * Starts and ends a data directory once, in single-user mode, so that copies made later have the password, and have its settings
 * on record: a standby refuses to start with fewer connections, for example, than the primary is recorded to allow.
 */
export async function personalise(binaries: Binaries, data: string, password: string | undefined): Promise<void> {
  // In a standard string a backslash is a plain character; the single-user server ends a statement at the line's end.
  const statement = password === undefined ? "" : `ALTER ROLE postgres PASSWORD '${password.replaceAll("'", "''")}'\n`;
  await run(path.join(binaries.folder, "postgres"), ["--single", "-D", data, "postgres"], statement);
}
