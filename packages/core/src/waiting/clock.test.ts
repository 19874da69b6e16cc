import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "./clock.ts";

describe("systemClock", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("follows whoever puts a time of their own in the machine's place, and goes back with them", () => {
    const before = systemClock.now();
    vi.useFakeTimers();
    const begun = systemClock.now();
    const ran: number[] = [];
    systemClock.setTimer(50, () => ran.push(systemClock.now() - begun));
    systemClock.setLimit?.(80, () => ran.push(systemClock.now() - begun));
    vi.advanceTimersByTime(3_600_000);
    expect(systemClock.now() - begun).toBe(3_600_000);
    expect(ran[0]).toBe(50);
    expect(ran[1]).toBeGreaterThanOrEqual(80);
    expect(ran[1]).toBeLessThanOrEqual(81);
    vi.useRealTimers();
    const after = systemClock.now();
    expect(after).toBeGreaterThanOrEqual(before);
    expect(after).toBeLessThanOrEqual(performance.now());
  });
});
