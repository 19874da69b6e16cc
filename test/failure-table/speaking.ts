/** Servers that speak another language where a session asks for it. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** Binaries to start servers from. */
export interface Binaries {
  readonly folder: string;
  /** Removes what was made for them. */
  remove(): void;
}

/**
 * Makes a folder of binaries that start those of another folder with a language in their environment, which is where
 * servers take it from.
 */
export function speaking(language: string, binaries: string): Binaries {
  const folder = mkdtempSync(path.join(tmpdir(), "breakwater-speaking-"));
  for (const name of ["postgres", "initdb"]) {
    const file = path.join(folder, name);
    writeFileSync(file, `#!/bin/sh\nLANGUAGE=${language} exec '${path.join(binaries, name)}' "$@"\n`);
    chmodSync(file, 0o755);
  }
  // Servers may run as another user than the tests.
  chmodSync(folder, 0o755);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
