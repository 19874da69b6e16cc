import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { check } from "./check.ts";
import { Draft, isSame } from "./testing/draft.ts";
import { cleanHistory, diceOf } from "./testing/model.ts";
import { EFFECTS, LEFT_BEHIND, NUMBERS, type Plant, SESSIONS } from "./testing/plants.ts";
import { LISTS } from "./testing/plants-lists.ts";

const SEEDS = 200;
const plants = [...EFFECTS, ...NUMBERS, ...SESSIONS, ...LISTS, ...LEFT_BEHIND];

/** Plants one anomaly. @returns whether there was a place for it; throws when it was not found, or found as something else. */
function expectFound({ plant, kind, also = [] }: Plant, seed: number): boolean {
  const { history, finalState } = cleanHistory(seed, { operations: 60 });
  const draft = new Draft(history, finalState, diceOf(seed ^ 0x5bd1_e995));
  const planted = plant(draft);
  if (planted === undefined) return false;
  const broken = draft.build();
  const { violations, passed } = check(broken.history, { finalState: broken.finalState });
  const found = violations.filter((one) => one.kind === kind);
  expect(passed).toBe(false);
  expect(found).not.toEqual([]);
  for (const operation of planted) {
    const isNamed = found.some(({ operations }) => operations.some((one) => isSame(one, operation)));
    expect(isNamed, `${kind} names ${JSON.stringify(operation.action)}`).toBe(true);
  }
  expect([...new Set(violations.map((one) => one.kind))].filter((one) => one !== kind && !also.includes(one))).toEqual(
    [],
  );
  return true;
}

describe("planted anomalies", () => {
  it.each(plants.map((plant) => [plant.kind, plant.how, plant] as const))("%s: %s: is found", (_kind, _how, plant) => {
    let found = 0;
    // A history without a place for the anomaly does not count as a run.
    const seeds = fc.sample(fc.integer({ min: 0, max: 0xffff_ffff }), { numRuns: SEEDS * 8, seed: 20_201_109 });
    for (const seed of seeds) if (found < SEEDS && expectFound(plant, seed)) found += 1;
    expect(found).toBe(SEEDS);
  });
});
