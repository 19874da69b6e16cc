/** Files that a run leaves for others to read. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { junitXml, type RunRecord, writeReport } from "@breakwater/chaos";
import type { RunArguments } from "./arguments.ts";
import { UsageError } from "./usage.ts";

type OutputArguments = Pick<RunArguments, "json" | "junit" | "report">;

/** Whether standard output is taken by one of them. */
export function takesStandardOutput({ json, junit }: OutputArguments): boolean {
  return json === "-" || junit === "-";
}

/** Makes the folders, before any run: hours of work must not end in a folder that is not there. @throws UsageError */
export async function prepareOutputs({ json, junit, report }: OutputArguments): Promise<void> {
  if (json === "-" && junit === "-") throw new UsageError("--json and --junit cannot both go to standard output");
  for (const file of [json, junit, report]) {
    if (file === "") throw new UsageError("the name of a file must not be empty");
    if (file === undefined || file === "-") continue;
    try {
      await mkdir(path.dirname(path.resolve(file)), { recursive: true });
    } catch (error) {
      throw new UsageError(`${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** Writes what was asked for; `problem` is what kept the other runs from being made. */
export async function writeOutputs(
  { json, junit, report }: OutputArguments,
  records: readonly RunRecord[],
  problem: string | undefined,
): Promise<void> {
  if (json !== undefined) await write(json, `${JSON.stringify(records, undefined, 1)}\n`);
  if (junit !== undefined) await write(junit, junitXml(records, problem === undefined ? {} : { problem }));
  if (report !== undefined && records.length > 0) await writeReport(records, report);
}

async function write(file: string, text: string): Promise<void> {
  if (file !== "-") return writeFile(file, text);
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}
