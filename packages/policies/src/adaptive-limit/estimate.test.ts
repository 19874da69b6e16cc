import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Estimate } from "./estimate.ts";

const bounds = { min: 1, max: 1000 };

/** A server of so many places: whoever comes beyond them makes all slower. */
function serve(estimate: Estimate, places: number, serviceMs: number, windows: number, offered = Infinity): number {
  for (let each = 0; each < windows; each++) {
    const inFlight = Math.min(estimate.limit, offered);
    estimate.window(serviceMs * Math.max(1, inFlight / places), inFlight, bounds);
  }
  return estimate.limit;
}

describe("Estimate", () => {
  it.each([5, 20, 100, 500])("finds a server's %i places, from below and from above, and not much more", (places) => {
    for (const initial of [1, 20, places]) {
      const estimate = new Estimate(initial);
      // What is usual is learned before the overload.
      serve(estimate, places, 10, 20, Math.max(1, Math.min(places, Math.floor(initial / 2))));
      const found = serve(estimate, places, 10, 600);
      expect(found / places).toBeGreaterThanOrEqual(1);
      expect(found / places).toBeLessThan(places < 10 ? 3.2 : 2.5);
    }
  });

  it("is back at half of where it was within a few windows after an overload", () => {
    const estimate = new Estimate(20);
    serve(estimate, 40, 10, 100);
    const before = estimate.limit;
    for (let each = 0; each < 100; each++) estimate.overload(bounds);
    expect(estimate.limit).toBe(1);
    serve(estimate, 40, 10, 6);
    expect(estimate.limit).toBeGreaterThanOrEqual(Math.floor(before / 2));
    // From there on as slowly as ever.
    expect(serve(estimate, 40, 10, 1)).toBeLessThan(before / 2 + 4);
  });

  it("does not drift upwards in ten minutes of overload", () => {
    const estimate = new Estimate(20);
    serve(estimate, 40, 10, 20, 10);
    const early = serve(estimate, 40, 10, 600);
    expect(serve(estimate, 40, 10, 6000) / early).toBeLessThan(1.3);
  });

  it("comes down when the server has fewer places", () => {
    const estimate = new Estimate(20);
    serve(estimate, 40, 10, 20, 10);
    serve(estimate, 40, 10, 300);
    expect(serve(estimate, 10, 10, 100)).toBeLessThan(30);
  });

  it("does not starve a server that has become slower for itself", () => {
    const estimate = new Estimate(20);
    serve(estimate, 100, 10, 20, 10);
    serve(estimate, 100, 10, 300);
    // Four times the latency, with as many places as before.
    expect(serve(estimate, 100, 40, 300)).toBeGreaterThanOrEqual(100);
    expect(estimate.usualMs).toBeGreaterThan(35);
  });

  it("stays where it is while few calls come", () => {
    const estimate = new Estimate(50);
    expect(serve(estimate, 100, 10, 100, 5)).toBe(50);
  });

  it("falls by a tenth on overload", () => {
    const estimate = new Estimate(100);
    estimate.overload(bounds);
    expect(estimate.limit).toBe(90);
  });

  it("stays within its bounds and finite, whatever is measured", () => {
    const step = fc.record({
      latencyMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      inFlight: fc.nat(2000),
      overload: fc.boolean(),
      min: fc.integer({ min: 1, max: 20 }),
      max: fc.integer({ min: 20, max: 500 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 1000 }), (steps, initial) => {
        const estimate = new Estimate(initial);
        for (const { latencyMs, inFlight, overload, min, max } of steps) {
          if (overload) estimate.overload({ min, max });
          else estimate.window(latencyMs, inFlight, { min, max });
          expect(estimate.limit).toBeGreaterThanOrEqual(min);
          expect(estimate.limit).toBeLessThanOrEqual(max);
          expect(Number.isInteger(estimate.limit)).toBe(true);
        }
      }),
    );
  });
});
