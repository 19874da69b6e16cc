import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsualTime } from "./usual-time.ts";

describe("UsualTime", () => {
  it("tells nothing of a few calls", () => {
    const usual = new UsualTime();
    for (let each = 0; each < 19; each++) usual.sample(10);
    expect(usual.ms).toBe(0);
    usual.sample(10);
    expect(usual.ms).toBe(10);
  });

  it("stays within what it was given, and follows to a new time in the end", () => {
    const times = fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { minLength: 20, maxLength: 200 });
    fc.assert(
      fc.property(times, fc.double({ min: 0.5, max: 1000, noNaN: true }), (given, then) => {
        const usual = new UsualTime();
        for (const ms of given) usual.sample(ms);
        expect(usual.ms).toBeGreaterThanOrEqual(Math.min(...given));
        expect(usual.ms).toBeLessThanOrEqual(Math.max(...given));
        for (let each = 0; each < 400; each++) usual.sample(then);
        expect(usual.ms).toBeCloseTo(then, 5);
      }),
    );
  });

  it("is near the middle of times that differ", () => {
    const usual = new UsualTime();
    for (let each = 0; each < 1000; each++) usual.sample(each % 10 < 7 ? 10 : 100);
    expect(usual.ms).toBeLessThan(25);
  });
});
