import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drive } from "./drive.ts";
import { ProcessClock, VirtualClock } from "./virtual-clock.ts";

function runAll(clock: VirtualClock): void {
  for (let run = clock.next(); run !== undefined; run = clock.next()) run();
}

describe("VirtualClock", () => {
  it("runs timers in the order of their time, then of their setting, and none that was cancelled", () => {
    const timers = fc.array(fc.record({ ms: fc.integer({ min: -5, max: 50 }), cancelled: fc.boolean() }), {
      maxLength: 400,
    });
    fc.assert(
      fc.property(timers, (wanted) => {
        const clock = new VirtualClock();
        const ran: number[] = [];
        const set = wanted.map(({ ms }, index) => clock.setTimer(ms, () => ran.push(index)));
        for (const [index, { cancelled }] of wanted.entries()) if (cancelled) set[index]?.cancel();
        expect(clock.pending).toBe(wanted.filter(({ cancelled }) => !cancelled).length);
        runAll(clock);
        const expected = wanted
          .map(({ ms, cancelled }, index) => ({ at: Math.max(0, ms), index, cancelled }))
          .filter(({ cancelled }) => !cancelled)
          .toSorted((a, b) => a.at - b.at || a.index - b.index);
        expect(ran).toEqual(expected.map(({ index }) => index));
        expect(clock.now()).toBe(Math.max(0, ...expected.map(({ at }) => at)));
        expect(clock.pending).toBe(0);
      }),
    );
  });

  it("does not grow by timers that are set and cancelled", () => {
    const clock = new VirtualClock();
    for (let round = 0; round < 10_000; round += 1) clock.setTimer(30_000, () => undefined).cancel();
    expect(clock.pending).toBe(0);
    expect(clock.next()).toBeUndefined();
    expect(clock.now()).toBe(0);
  });

  it("counts the timers of one process", () => {
    const clock = new VirtualClock();
    const own = new ProcessClock(clock);
    const first = own.setTimer(1, () => undefined);
    own.setTimer(2, () => undefined);
    clock.setTimer(3, () => undefined);
    expect(own.pending).toBe(2);
    first.cancel();
    first.cancel();
    expect(own.pending).toBe(1);
    runAll(clock);
    expect(own.pending).toBe(0);
    expect(own.now()).toBe(3);
  });
});

describe("drive", () => {
  it("lets everything come to rest that an event has set going, however deep, before the next one", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const deep = async (name: string): Promise<void> => {
      for (let depth = 0; depth < 500; depth += 1) await Promise.resolve();
      seen.push(`${name} at ${clock.now()}`);
    };
    for (let ms = 0; ms < 5_000; ms += 1) clock.setTimer(ms, () => void deep(`event ${ms}`));
    await drive(() => {
      const run = clock.next();
      run?.();
      return run !== undefined;
    });
    expect(seen).toEqual(Array.from({ length: 5_000 }, (_, ms) => `event ${ms} at ${ms}`));
  });

  it("rejects with what a step throws", async () => {
    const thrown = new Error("mine");
    await expect(
      drive(() => {
        throw thrown;
      }),
    ).rejects.toBe(thrown);
  });
});
