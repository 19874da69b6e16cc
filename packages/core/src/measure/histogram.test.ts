import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Histogram, type HistogramSnapshot, noTimes } from "./histogram.ts";

/** Nearest rank over the times themselves. */
function exact(times: readonly number[], percent: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil((percent * sorted.length) / 100)) - 1]!;
}

function of(times: readonly number[]): HistogramSnapshot {
  const histogram = new Histogram();
  for (const time of times) histogram.record(time);
  return histogram.snapshot();
}

/** What everybody sees of it. */
const plain = (snapshot: HistogramSnapshot): object => Object.assign({}, snapshot);

/** A time is known to within 1/32 of itself, or 1 µs. */
const tooLong = (time: number): number => time + Math.max(time / 32, 0.001) + 1e-9;

// From a tenth of a microsecond to an hour, evenly over the powers of ten.
const time = fc.double({ min: -4, max: 6.5, noNaN: true }).map((exponent) => 10 ** exponent);
const times = fc.array(time, { minLength: 1, maxLength: 400 });

describe("Histogram", () => {
  it("has every percentile of what was recorded, never too short and at most 1/32 too long", () => {
    fc.assert(
      fc.property(times, fc.constantFrom(0, 1, 25, 50, 90, 99, 99.9, 100), (recorded, percent) => {
        const told = of(recorded).percentile(percent);
        const truth = exact(recorded, percent);
        expect(told).toBeGreaterThanOrEqual(truth - 1e-12);
        expect(told).toBeLessThanOrEqual(tooLong(truth));
      }),
      { numRuns: 500 },
    );
  });

  it("has count, mean, shortest and longest exactly", () => {
    fc.assert(
      fc.property(times, (recorded) => {
        const { count, mean, min, max } = of(recorded);
        expect(count).toBe(recorded.length);
        expect(min).toBe(Math.min(...recorded));
        expect(max).toBe(Math.max(...recorded));
        expect(mean).toBeCloseTo(recorded.reduce((sum, each) => sum + each, 0) / recorded.length, 5);
      }),
    );
  });

  it("says of two together what it would say of all in one", () => {
    fc.assert(
      fc.property(times, times, (some, others) => {
        const both = of(some).plus(of(others));
        expect({ ...plain(both), mean: 0 }).toEqual({ ...plain(of([...some, ...others])), mean: 0 });
      }),
    );
  });

  it("tells what came after an earlier snapshot as well as if it had been recorded alone", () => {
    fc.assert(
      fc.property(times, times, fc.constantFrom(0, 50, 90, 99, 100), (before, after, percent) => {
        const histogram = new Histogram();
        for (const each of before) histogram.record(each);
        const earlier = histogram.snapshot();
        for (const each of after) histogram.record(each);
        const told = histogram.snapshot().since(earlier);
        const truth = exact(after, percent);
        expect(told.count).toBe(after.length);
        expect(told.percentile(percent)).toBeLessThanOrEqual(tooLong(truth));
        expect(told.percentile(percent)).toBeGreaterThanOrEqual(truth - (percent === 0 ? truth / 32 + 0.001 : 1e-12));
        expect(told.min).toBeLessThanOrEqual(told.max);
        expect(earlier.plus(told).count).toBe(histogram.snapshot().count);
      }),
    );
  });

  it("takes one that has fewer times than before for one that began anew", () => {
    const restarted = of([1, 2]);
    expect(restarted.since(of([5, 6, 7]))).toBe(restarted);
  });

  it("is zero all over while nothing is recorded, and after nothing new", () => {
    const zero = { count: 0, mean: 0, min: 0, max: 0, p50: 0, p90: 0, p99: 0, p999: 0 };
    expect(plain(new Histogram().snapshot())).toEqual(zero);
    expect(plain(of([3]).since(of([3])))).toEqual(zero);
    expect(noTimes.plus(noTimes)).toBe(noTimes);
  });

  it("takes what is no time for 0, and keeps what is longer than its buckets reach", () => {
    expect(plain(of([-1, Number.NaN]))).toMatchObject({ count: 2, max: 0, p99: 0 });
    const day = 24 * 3_600_000;
    const long = of([1, 1, 1, day, 2 * day]);
    expect(long.percentile(50)).toBeLessThanOrEqual(tooLong(1));
    expect([long.p99, long.max, long.count]).toEqual([2 * day, 2 * day, 5]);
    expect(of([Number.POSITIVE_INFINITY])).toMatchObject({ count: 1, max: 0, mean: 0 });
  });

  it("gives snapshots that stay as they are, and are plain as JSON", () => {
    const histogram = new Histogram();
    histogram.record(4);
    const first = histogram.snapshot();
    expect(histogram.snapshot()).toBe(first);
    const told = JSON.stringify(first);
    for (let each = 0; each < 1_000; each += 1) histogram.record(each);
    expect(JSON.stringify(first)).toBe(told);
    expect(JSON.parse(told)).toEqual(plain(first));
    expect(Object.isFrozen(first)).toBe(true);
    expect(() => Object.assign(first, { count: 7 })).toThrow(TypeError);
    expect(first.percentile(50)).toBe(4);
  });

  it("refuses a share that is none", () => {
    for (const wrong of [-1, 100.1, Number.NaN, "50" as never, undefined as never])
      expect(() => noTimes.percentile(wrong)).toThrow(RangeError);
  });
});
