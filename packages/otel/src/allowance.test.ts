import { type Clock, systemClock } from "@breakwater/core";
import { ManualClock } from "@breakwater/core/testing";
import { describe, expect, it } from "vitest";
import { Allowance } from "./allowance.ts";

/** How many of some tries are allowed now. */
function taken(allowance: Allowance, tries: number): number {
  let count = 0;
  for (let each = 0; each < tries; each += 1) {
    if (!allowance.has()) continue;
    allowance.take();
    count += 1;
  }
  return count;
}

describe("an allowance", () => {
  it("is so many at once, and then so many a second", async () => {
    const clock = new ManualClock();
    const allowance = new Allowance(clock, { most: 20, perSecond: 100 });
    expect(taken(allowance, 50)).toBe(20);
    await clock.advance(50);
    expect(taken(allowance, 50)).toBe(5);
    // Parts of one add up.
    for (let step = 0; step < 4; step += 1) {
      await clock.advance(5);
      taken(allowance, 0);
      allowance.has();
    }
    expect(taken(allowance, 50)).toBe(2);
  });

  it("is never more than so many, however long nobody took one", async () => {
    const clock = new ManualClock();
    const allowance = new Allowance(clock, { most: 20, perSecond: 100 });
    await clock.advance(3_600_000);
    expect(taken(allowance, 50)).toBe(20);
    expect(taken(allowance, 50)).toBe(0);
  });

  it("does not shrink when the clock is set back", () => {
    let nowMs = 1_000;
    const clock: Clock = { ...systemClock, now: () => nowMs };
    const allowance = new Allowance(clock, { most: 2, perSecond: 1_000 });
    nowMs = 0;
    expect(taken(allowance, 5)).toBe(2);
    nowMs = 1;
    expect(taken(allowance, 5)).toBe(1);
  });
});
