import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "@breakwater/core";
import { type Backoff, backoffMs, exponentialMs, JITTERS } from "./backoff.ts";

const anyBackoff: fc.Arbitrary<Backoff> = fc
  .record({
    initialDelayMs: fc.nat(50_000).map((tenths) => tenths / 10),
    spanMs: fc.nat(600_000).map((tenths) => tenths / 10),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    jitter: fc.constantFrom(...JITTERS),
  })
  .map(({ spanMs, ...rest }) => ({ ...rest, maxDelayMs: rest.initialDelayMs + spanMs }));
const anyRetry = fc.integer({ min: 1, max: 5000 });
const anyDice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("backoffMs", () => {
  it.each([
    ["none", [50, 100, 200, 400, 400]],
    ["full", [25, 50, 100, 200, 200]],
    ["equal", [37.5, 75, 150, 300, 300]],
  ] as const)("grows by the factor up to the cap, with the middle of %s jitter", (jitter, expected) => {
    const backoff = { initialDelayMs: 50, maxDelayMs: 400, factor: 2, jitter };
    expect(expected.map((_, index) => backoffMs(backoff, index + 1, undefined, () => 0.5))).toEqual(expected);
  });

  it("draws decorrelated waits between the first one and three times the one before", () => {
    const backoff = { initialDelayMs: 50, maxDelayMs: 2000, factor: 2, jitter: "decorrelated" } as const;
    expect(backoffMs(backoff, 1, undefined, () => 0)).toBe(50);
    expect(backoffMs(backoff, 1, undefined, () => 0.5)).toBe(100);
    expect(backoffMs(backoff, 2, 100, () => 0.5)).toBe(175);
    expect(backoffMs(backoff, 3, 2000, () => 0.99)).toBe(2000);
  });

  it("stays within the bounds of its jitter", () => {
    fc.assert(
      fc.property(anyBackoff, anyRetry, anyDice, (backoff, retry, dice) => {
        const full = exponentialMs(backoff, retry);
        const wait = backoffMs(backoff, retry, undefined, () => dice);
        const least = { none: full, full: 0, equal: full / 2, decorrelated: backoff.initialDelayMs };
        const most = { none: full, full, equal: full, decorrelated: backoff.initialDelayMs * 3 };
        expect(wait).toBeGreaterThanOrEqual(least[backoff.jitter]);
        expect(wait).toBeLessThanOrEqual(Math.min(most[backoff.jitter], backoff.maxDelayMs));
      }),
    );
  });

  it("never passes the cap, however long the row", () => {
    fc.assert(
      fc.property(anyBackoff, fc.integer(), (backoff, seed) => {
        const random = seededRandom(seed);
        let previous: number | undefined;
        for (let retry = 1; retry < 60; retry++) {
          previous = backoffMs(backoff, retry, previous, random);
          expect(previous).toBeGreaterThanOrEqual(0);
          expect(previous).toBeLessThanOrEqual(backoff.maxDelayMs);
        }
      }),
    );
  });

  it("grows monotonously before jitter", () => {
    fc.assert(
      fc.property(anyBackoff, anyRetry, (backoff, retry) => {
        expect(exponentialMs(backoff, retry + 1)).toBeGreaterThanOrEqual(exponentialMs(backoff, retry));
        expect(exponentialMs(backoff, retry)).toBeLessThanOrEqual(backoff.maxDelayMs);
      }),
    );
  });
});
