import { describe, expect, it } from "vitest";
import type { Fault } from "./faults.ts";
import { shrink } from "./shrink.ts";
import type { SimulationReport, SimulationScript } from "./simulate.ts";

function reportOf(script: SimulationScript): SimulationReport {
  return { script, violations: [] } as unknown as SimulationReport;
}

const faults: readonly Fault[] = Array.from({ length: 12 }, (_, index) => ({
  kind: "crash",
  target: `n${(index % 3) + 1}`,
  atMs: 137 * index + 11,
  durationMs: 1_234,
}));

describe("shrink", () => {
  it("leaves only what a failure needs, wherever that stands", async () => {
    const fails = ({ faults: left, calls, only }: SimulationScript): boolean =>
      left.some(({ target, durationMs }) => target === "n3" && durationMs >= 400) &&
      left.some(({ target }) => target === "n1") &&
      [77, 301].every((call) => (only === undefined ? call < calls : only.includes(call)));
    let runs = 0;
    const attempt = (script: SimulationScript): Promise<SimulationReport | undefined> => {
      runs += 1;
      return Promise.resolve(fails(script) ? reportOf(script) : undefined);
    };
    const { script } = await shrink(reportOf({ seed: 1, calls: 2_000, faults }), attempt, () => false);
    expect(script.only).toEqual([77, 301]);
    expect(script.calls).toBe(302);
    expect(script.faults.map(({ target, atMs }) => `${target} at ${atMs}`).toSorted()).toEqual(["n1 at 0", "n3 at 0"]);
    expect(script.faults.find(({ target }) => target === "n3")?.durationMs).toBe(1_000);
    expect(runs).toBeLessThan(200);
  });

  it("gives what it has when time is up", async () => {
    const first = reportOf({ seed: 1, calls: 10, faults });
    expect(
      await shrink(
        first,
        () => Promise.reject(new Error("not asked")),
        () => true,
      ),
    ).toBe(first);
  });
});
