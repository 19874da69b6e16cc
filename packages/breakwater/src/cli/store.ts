/** Runs that were made, for `replay`. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { RunRecord } from "@breakwater/chaos";
import { UsageError } from "./usage.ts";

/** What is kept of a run. */
export interface StoredRun {
  readonly seed: number;
  /** A ready scenario by name, or the file that it stands in. */
  readonly scenario: string;
  readonly against: string;
  /** Of the containers that the servers ran in, if they did. */
  readonly image?: string;
  readonly verdict: RunRecord["verdict"];
  /** What came of it, unless it passed. */
  readonly record?: RunRecord;
}

/** @returns the file. */
export async function keep(folder: string, run: StoredRun, name: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, `${name}-${run.seed}.json`);
  await writeFile(file, `${JSON.stringify(run, undefined, 1)}\n`);
  return file;
}

/** Runs that were kept with a seed, each with its file. */
export async function keptWith(
  folder: string,
  seed: number,
): Promise<{ readonly file: string; readonly run: StoredRun }[]> {
  const files = await readdir(folder).catch(() => []);
  const those = files.filter((file) => file.endsWith(`-${seed}.json`)).toSorted();
  return Promise.all(
    those.map(async (name) => {
      const file = path.join(folder, name);
      try {
        return { file, run: JSON.parse(await readFile(file, "utf8")) as StoredRun };
      } catch (error) {
        throw new UsageError(
          `${file} is no run that was kept: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }),
  );
}
