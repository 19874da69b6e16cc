import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecentLatencies } from "./recent-latencies.ts";

describe("RecentLatencies", () => {
  it("knows a percentile, never too short and at most an eighth too long", () => {
    const times = fc.array(fc.double({ min: 0.01, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 0.9, 0.95, 1), (took, share) => {
        const recent = new RecentLatencies(0);
        for (const ms of took) recent.record(ms, 0);
        const exact = took.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * took.length - 1e-9) - 1)] ?? 0;
        const found = recent.percentile(share);
        expect(found).toBeGreaterThanOrEqual(exact - 0.001);
        expect(found).toBeLessThanOrEqual(exact * 1.125 + 0.002);
      }),
    );
  });

  it("follows a change, by number and by time", () => {
    const many = new RecentLatencies(0);
    for (let each = 0; each < 5_000; each += 1) many.record(1, 0);
    expect(many.count).toBeLessThanOrEqual(1_000);
    for (let each = 0; each < 1_000; each += 1) many.record(20, 0);
    expect(many.percentile(0.5)).toBeGreaterThan(19);

    const few = new RecentLatencies(0);
    for (let each = 0; each < 100; each += 1) few.record(1, 0);
    for (let each = 0; each < 20; each += 1) few.record(20, 60_000);
    expect(few.percentile(0.5)).toBeGreaterThan(19);
    // So long a silence leaves nothing.
    few.record(3, 10_000_000);
    expect(few.count).toBe(1);
  });

  it("takes what is no sensible time for the shortest or the longest", () => {
    const recent = new RecentLatencies(0);
    for (const ms of [-5, 0]) recent.record(ms, 0);
    expect(recent.percentile(1)).toBeLessThan(0.01);
    recent.record(1e12, 0);
    expect(recent.percentile(1)).toBeGreaterThan(4_000_000);
    recent.clear();
    expect([recent.count, recent.percentile(0.5)]).toEqual([0, 0]);
  });
});
