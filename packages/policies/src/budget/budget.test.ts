import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ManualClock } from "@breakwater/core/testing";
import { retryBudget, type RetryBudget, type RetryBudgetOptions } from "./retry-budget.ts";
import { SlidingCount } from "./sliding-count.ts";

function record(budget: RetryBudget, calls: number): void {
  for (let call = 0; call < calls; call++) budget.recordCall();
}

function takeAll(budget: RetryBudget): number {
  let taken = 0;
  while (budget.tryRetry()) taken++;
  return taken;
}

describe("retryBudget", () => {
  it("always allows minPerWindow, with no call recorded", () => {
    expect(takeAll(retryBudget({ clock: new ManualClock() }))).toBe(50);
    expect(takeAll(retryBudget({ clock: new ManualClock(), minPerWindow: 3 }))).toBe(3);
    expect(takeAll(retryBudget({ clock: new ManualClock(), minPerWindow: 0 }))).toBe(0);
  });

  it("allows a share of the calls where that is more, with the floor taken off it", () => {
    const budget = retryBudget({ clock: new ManualClock(), ratio: 0.2, minPerWindow: 10 });
    record(budget, 1003);
    expect(takeAll(budget)).toBe(190);
  });

  it("forgets calls and retries that have left the window", async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ clock, ratio: 0.5, windowMs: 1000, minPerWindow: 2 });
    record(budget, 100);
    expect(takeAll(budget)).toBe(48);
    await clock.advance(1000);
    expect(takeAll(budget)).toBe(2);
    await clock.advance(999);
    expect(budget.tryRetry()).toBe(false);
    await clock.advance(1);
    expect(budget.stats()).toEqual({ calls: 0, retries: 0, left: 2, refused: 4 - 1 });
  });

  it("says how it stands", () => {
    const budget = retryBudget({ clock: new ManualClock(), minPerWindow: 1 });
    record(budget, 20);
    takeAll(budget);
    expect(budget.stats()).toEqual({ calls: 20, retries: 3, left: 0, refused: 1 });
    expect(Object.isFrozen(budget.stats())).toBe(true);
  });

  it("never lets the retries of any window pass the larger of floor and share", async () => {
    const event = fc.record({ afterMs: fc.integer({ min: 0, max: 400 }), calls: fc.nat(30), wanted: fc.nat(30) });
    const holds = fc.asyncProperty(
      fc.array(event, { maxLength: 60 }),
      fc.integer({ min: 0, max: 5 }),
      async (events, min) => {
        const clock = new ManualClock();
        const budget = retryBudget({ clock, ratio: 0.2, windowMs: 1000, minPerWindow: min });
        const log: { at: number; calls: number; retries: number }[] = [];
        for (const { afterMs, calls, wanted } of events) {
          await clock.advance(afterMs);
          record(budget, calls);
          let retries = 0;
          for (let each = 0; each < wanted; each++) if (budget.tryRetry()) retries++;
          log.push({ at: clock.now(), calls, retries });
          // Slices are a tenth of the window: what the budget sees is at least 0.9 of it, and at most all.
          const retried = sum(log, (one) => (one.at > clock.now() - 900 ? one.retries : 0));
          const offered = sum(log, (one) => (one.at > clock.now() - 1000 ? one.calls : 0));
          // Calls are counted in groups of at most 16, so that many may be seen late.
          if (retries > 0 && retried > Math.max(min, 0.2 * (offered + 16))) return false;
        }
        return true;
      },
    );
    expect(await fc.check(holds, { numRuns: 30 })).toMatchObject({ failed: false });
  });

  it("can be changed without forgetting what was counted", () => {
    const clock = new ManualClock();
    const budget = retryBudget({ clock, ratio: 0.1, minPerWindow: 0 });
    for (let call = 0; call < 160; call += 1) budget.recordCall();
    for (let retry = 0; retry < 16; retry += 1) expect(budget.tryRetry()).toBe(true);
    expect(budget.tryRetry()).toBe(false);
    for (const wrong of [{ ratio: 2 }, { ratio: 0.5, minPerWindow: -1 }, { windowMs: 5 } as object]) {
      expect(() => budget.change(wrong)).toThrow(expect.objectContaining({ code: "ERR_BREAKWATER_OPTION" }));
    }
    expect(budget.tryRetry()).toBe(false);
    budget.change({ ratio: 0.2 });
    expect(budget.stats()).toMatchObject({ calls: 160, retries: 16, left: 16 });
  });

  it.each<[string, RetryBudgetOptions]>([
    ["retryBudget.ratio", { ratio: 0 }],
    ["retryBudget.ratio", { ratio: 1.1 }],
    ["retryBudget.windowMs", { windowMs: 0 }],
    ["retryBudget.minPerWindow", { minPerWindow: -1 }],
    ["retryBudget.minPerWindow", { minPerWindow: 1.5 }],
    ["retryBudget.clock", { clock: 5 as never }],
    ["retryBudget.rate", { rate: 1 } as never],
  ])("tells a wrong %s", (option, options) => {
    expect(() => retryBudget(options)).toThrow(expect.objectContaining({ option }));
  });
});

describe("SlidingCount", () => {
  it("is at least what happened in 0.9 of the window and at most what happened in all of it", () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 5 })), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: -5000, max: 1e9 }), (adds, startMs) => {
        const count = new SlidingCount(1000, startMs);
        const log: { at: number; times: number }[] = [];
        let now = startMs;
        for (const [afterMs, times] of adds) {
          now += afterMs;
          count.add(times, now);
          log.push({ at: now, times });
          const total = count.total(now);
          expect(total).toBeGreaterThanOrEqual(sum(log, (one) => (one.at > now - 900 ? one.times : 0)));
          expect(total).toBeLessThanOrEqual(sum(log, (one) => (one.at > now - 1000 ? one.times : 0)));
        }
        expect(count.total(now + 1000)).toBe(0);
      }),
    );
  });

  it("does not go back when the time does", () => {
    const count = new SlidingCount(1000, 5000);
    count.add(2, 5000);
    count.add(1, 100);
    expect(count.total(5000)).toBe(3);
  });
});

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
