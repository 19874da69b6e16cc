/** Overload, many times over: other seeds of what the gate runs once, and the storm of a thousand processes. */
import { bulkhead } from "@breakwater/policies";
import { expect, it } from "vitest";
import { preset, queueBeforeLimit } from "../../overload/stacks.ts";
import { storm } from "../../overload/storm.ts";
import { surge } from "../../overload/surge.ts";

const ROUNDS = Number(process.env["BREAKWATER_ROUNDS"] ?? 10);
const SEED = Number(process.env["BREAKWATER_SEED"] ?? 1_000);

it.each([
  ["bulkhead", preset(({ clock }) => bulkhead({ clock }))],
  ["bulkhead before adaptiveLimit", preset(queueBeforeLimit)],
] as const)("twice the capacity for 60 s: %s", async (_, stack) => {
  for (let seed = SEED; seed < SEED + ROUNDS; seed += 1) {
    const { goodput, p99, criticalFailed, calmAfterS } = await surge({ stack, seed });
    const figures = `seed ${seed}: ${goodput.toFixed(3)} ${p99.toFixed(2)} ${criticalFailed} ${calmAfterS}`;
    expect(goodput, figures).toBeGreaterThanOrEqual(0.98);
    expect(p99, figures).toBeLessThanOrEqual(3);
    expect(criticalFailed, figures).toBeLessThanOrEqual(0.001);
    expect(calmAfterS, figures).toBeLessThanOrEqual(2);
  }
});

it("a thousand processes of a hundred callers, a crash and the return of their primary", async () => {
  const { points: _, ...figures } = await storm({ stack: preset(), processes: 1_000, callers: 100, seed: SEED });
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  expect(figures.connectWave).toBeLessThanOrEqual(2);
  expect(figures.mostConnectsDown).toBeLessThanOrEqual(2_000);
  expect(figures.failed).toBeLessThanOrEqual(figures.calls / 1_000);
  expect(figures.recoveryMs).toBeLessThanOrEqual(2_000);
});
