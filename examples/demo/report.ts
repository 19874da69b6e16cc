/**
 * The full record of a run, for `--json`.
 */
import { writeFile } from "node:fs/promises";
import { percentile } from "./numbers.ts";
import type { Record } from "./record.ts";
import type { Result } from "./run.ts";
import { keptPromise, type Verdict } from "./verdict.ts";

export async function writeReport(file: string, { scene, played, today, breakwater }: Result): Promise<void> {
  const report = {
    seed: scene.seed,
    node: process.version,
    kept: keptPromise(breakwater),
    phases: played,
    happenings: scene.happenings,
    today: side(today, scene.records.today),
    breakwater: side(breakwater, scene.records.breakwater),
  };
  await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

function side(verdict: Verdict, record: Record): object {
  return {
    verdict,
    errors: Object.fromEntries([...record.errors].toSorted(([, a], [, b]) => b - a)),
    seconds: record.seconds.map(({ ok, failed, unknown, latencies }, second) => ({
      second,
      ok,
      failed,
      unknown,
      p50: percentile(latencies, 0.5) ?? null,
      p99: percentile(latencies, 0.99) ?? null,
    })),
  };
}
