/**
 * All ready scenarios with many seeds: the preset passes every run, and `pg.Pool` with the usual retry wrapper fails every
 * scenario by a violation that has a name. `BREAKWATER_SEEDS` sets how many seeds there are, `BREAKWATER_SEED` the first one.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { readyScenarios, type RunRecord } from "@breakwater/chaos";
import { describe, expect, it } from "vitest";
import { command } from "../../scenarios/command.ts";
import { report } from "../../support/report.ts";

const seeds = Number(process.env["BREAKWATER_SEEDS"] ?? 20);
const seed = Number(process.env["BREAKWATER_SEED"] ?? Math.floor(Math.random() * 1_000_000));

async function runs(scenario: string, against: string): Promise<RunRecord[]> {
  const folder = await mkdtemp(path.join(tmpdir(), "breakwater-scenarios-"));
  try {
    const options = [
      "--against",
      against,
      "--seed",
      `${seed}`,
      "--seeds",
      `${seeds}`,
      "--json",
      "runs.json",
      "--quiet",
    ];
    const { code, out, error } = await command(folder, "chaos", "run", scenario, ...options);
    if (code !== 0 && code !== 1) throw new Error(`ended with ${code}: ${out}${error}`);
    return JSON.parse(await readFile(path.join(folder, "runs.json"), "utf8")) as RunRecord[];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** How many runs had each kind of violation. */
function kinds(records: readonly RunRecord[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { violationCounts } of records) {
    for (const kind of Object.keys(violationCounts)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

describe.each((await readyScenarios()).map(({ name }) => name))(`%s, ${seeds} seeds from ${seed} on`, (name) => {
  it("is passed by the preset", async () => {
    const records = await runs(name, "breakwater");
    const failed = records.filter(({ verdict }) => verdict !== "passed");
    expect(failed.map(({ seed: one, problem, violations }) => ({ seed: one, problem, violations }))).toEqual([]);
    expect(records).toHaveLength(seeds);
  });

  it("is failed by pg.Pool with the usual retry wrapper", async () => {
    const records = await runs(name, "bare");
    report(`${name}: runs of pg.Pool with each violation`, kinds(records));
    expect(records.filter(({ verdict }) => verdict === "broken")).toEqual([]);
    expect(records.filter(({ verdict }) => verdict === "passed").map((one) => one.seed)).toEqual([]);
  });
});
