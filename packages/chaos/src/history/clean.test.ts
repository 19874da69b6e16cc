import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { check } from "./check.ts";
import { fromJsonLines, toJsonLines } from "./json-lines.ts";
import { cleanHistory } from "./testing/model.ts";

const seeds = fc.integer({ min: 0, max: 0xffff_ffff });

describe("clean histories", () => {
  it("raise no alarm", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 200 }), (seed, operations) => {
        const { history, finalState } = cleanHistory(seed, { operations });
        expect(check(history, { finalState }).violations).toEqual([]);
        expect(check(history, { finalState }).notChecked).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });

  it("raise none while nobody has looked at the final state", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(check(cleanHistory(seed, { operations: 100 }).history).violations).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it("have all outcomes, lost answers among them that were done and not done", () => {
    const { history, finalState } = cleanHistory(1, { operations: 2_000 });
    const { ok, fail, unknown } = history.counts();
    expect([ok > 1_000, fail > 20, unknown > 100]).toEqual([true, true, true]);
    const lost = history.operations.filter(
      ({ outcome, action }) => outcome === "unknown" && action.kind === "transfer",
    );
    const kept = lost.filter(({ action }) => "id" in action && action.id in (finalState.transfers ?? {}));
    expect([kept.length > 0, kept.length < lost.length]).toEqual([true, true]);
  });

  it("are the same after they were written down", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { history, finalState } = cleanHistory(seed, { operations: 60 });
        const text = toJsonLines(history, finalState);
        const read = fromJsonLines(text);
        expect(read.history.operations).toEqual(history.operations);
        expect(read.finalState).toEqual(finalState);
        expect(toJsonLines(read.history, read.finalState)).toBe(text);
      }),
      { numRuns: 50 },
    );
  });

  it("of 10,000 transactions are judged within a second", () => {
    const { history, finalState } = cleanHistory(7, { operations: 10_000, onlyLists: true });
    const times = Array.from({ length: 5 }, () => {
      // The processor's time: others may have the machine meanwhile.
      const began = process.cpuUsage();
      expect(check(history, { finalState }).violations).toEqual([]);
      const { user, system } = process.cpuUsage(began);
      return (user + system) / 1_000;
    });
    expect(Math.min(...times)).toBeLessThan(1_000);
  });
});
