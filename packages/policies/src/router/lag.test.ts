import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exceeds, PositionHistory } from "./lag.ts";

const at = (position: bigint) => ({ position });

describe("the lag of a replica", () => {
  it("is none when it has all there is, however long the primary has been idle", () => {
    const history = new PositionHistory();
    for (let second = 0; second < 3600; second += 1) history.record(second * 1000, 500n);
    expect(history.lag(3_600_000, at(500n))).toEqual({ ms: 0, bytes: 0 });
  });

  it("grows while replay is paused and the primary goes on", () => {
    const history = new PositionHistory();
    for (let second = 0; second <= 30; second += 1) history.record(second * 1000, BigInt(second * 100));
    expect(history.lag(30_000, at(1000n))).toEqual({ ms: 19_000, bytes: 2000 });
    expect(history.lag(30_000, at(3000n))).toEqual({ ms: 0, bytes: 0 });
  });

  it("begins with the write, not with the idle time before it", () => {
    const history = new PositionHistory();
    history.record(0, 100n);
    history.record(60_000, 100n);
    history.record(61_000, 101n);
    expect(history.lag(61_200, at(100n))).toEqual({ ms: 200, bytes: 1 });
  });

  it("is unknown of a node that does not tell its position, and that is never too much", () => {
    const lag = new PositionHistory().lag(0, { position: undefined });
    expect(lag).toBeUndefined();
    expect(exceeds(lag, { ms: 1, bytes: 1 })).toBe(false);
  });

  it("is none when the replica was seen later than the primary", () => {
    const history = new PositionHistory();
    history.record(0, 100n);
    expect(history.lag(10, at(120n))).toEqual({ ms: 0, bytes: 0 });
  });

  it("starts anew when a promotion has taken writes back", () => {
    const history = new PositionHistory();
    history.record(0, 100n);
    history.record(1000, 200n);
    history.record(2000, 150n);
    expect(history.lag(2000, at(150n))).toEqual({ ms: 0, bytes: 0 });
  });

  it("is never more than the truth, and short of it by little until twice the limit", () => {
    const limits = fc.constantFrom(0, 1000, 60_000, 3_600_000);
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8000 }), fc.nat(), limits, (looks, behind, limitMs) => {
        const history = new PositionHistory(limitMs);
        for (let look = 0; look < looks; look += 1) history.record(look * 1000, BigInt(look * 10));
        const replayed = behind % looks;
        const now = (looks - 1) * 1000;
        const truth = now - replayed * 1000;
        const { ms = -1 } = history.lag(now, at(BigInt(replayed * 10))) ?? {};
        expect(ms).toBeLessThanOrEqual(truth);
        const spacing = Math.max(1000, limitMs / 128 + 1000);
        expect(ms).toBeGreaterThanOrEqual(Math.min(truth, 2 * limitMs) - 2 * spacing);
      }),
      { numRuns: 60 },
    );
  });

  it("exceeds a limit in time or in bytes", () => {
    expect(exceeds({ ms: 5000, bytes: 0 }, { ms: 4999 })).toBe(true);
    expect(exceeds({ ms: 5000, bytes: 9 }, { ms: 5000, bytes: 9 })).toBe(false);
    expect(exceeds({ ms: 0, bytes: 10 }, { bytes: 9 })).toBe(true);
    expect(exceeds({ ms: 1e9, bytes: 1e9 }, {})).toBe(false);
  });
});
