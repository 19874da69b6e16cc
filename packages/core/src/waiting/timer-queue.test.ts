import fc from "fast-check";
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TimerQueue } from "./timer-queue.ts";

describe("TimerQueue", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("runs each timer once, never early, at most a millisecond late, in the order in which they are due", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200_000), { minLength: 1, maxLength: 40 }), (waits) => {
        const begun = Date.now();
        const clock = (): number => Date.now() - begun;
        const queue = new TimerQueue(clock);
        const ran: { readonly due: number; readonly at: number }[] = [];
        for (const due of waits) queue.set(due, () => ran.push({ due, at: clock() }));
        vi.advanceTimersByTime(200_002);
        expect(ran.map(({ due }) => due)).toEqual(waits.toSorted((a, b) => a - b));
        for (const { due, at } of ran) {
          expect(at).toBeGreaterThanOrEqual(due);
          expect(at).toBeLessThanOrEqual(due + 1);
        }
        expect(clock()).toBe(200_002);
      }),
      { numRuns: 50 },
    );
  });

  it("does not run what was taken back, not even by one that is due at the same time", () => {
    const queue = new TimerQueue(() => Date.now());
    const ran: string[] = [];
    const second = { cancel: (): void => undefined };
    queue.set(10, () => {
      ran.push("first");
      second.cancel();
    });
    Object.assign(second, {
      cancel: (
        (timer) => () =>
          timer.cancel()
      )(queue.set(10, () => ran.push("second"))),
    });
    const third = queue.set(5, () => ran.push("third"));
    third.cancel();
    third.cancel();
    vi.advanceTimersByTime(1_000);
    expect(ran).toEqual(["first"]);
  });

  it("runs the others when one throws, and lets the process hear of it", () => {
    const queue = new TimerQueue(() => Date.now());
    const thrown: unknown[] = [];
    const spy = vi.spyOn(globalThis, "queueMicrotask").mockImplementation((run) => {
      try {
        run();
      } catch (error) {
        thrown.push(error);
      }
    });
    let ran = false;
    queue.set(1, () => {
      throw new Error("thrown");
    });
    queue.set(1, () => {
      ran = true;
    });
    vi.advanceTimersByTime(5);
    spy.mockRestore();
    expect([ran, thrown]).toEqual([true, [new Error("thrown")]]);
  });

  it("takes what is no wait for none", () => {
    const queue = new TimerQueue(() => Date.now());
    let ran = 0;
    for (const ms of [0, -5, Number.NaN]) queue.set(ms, () => (ran += 1));
    vi.advanceTimersByTime(2);
    expect(ran).toBe(3);
  });
});

describe("TimerQueue, in real time", () => {
  it("holds up the process only while a timer is set, and keeps nobody's context", async () => {
    const resources = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const queue = new TimerQueue(() => performance.now());
    const before = resources();
    const timers = Array.from({ length: 100 }, () => queue.set(60_000, () => undefined));
    expect(resources()).toBe(before + 1);
    for (const timer of timers) timer.cancel();
    expect(resources()).toBe(before);

    const storage = new AsyncLocalStorage<string>();
    let seen: string | undefined = "not run";
    storage.run("a caller", () => queue.set(1, () => (seen = storage.getStore())));
    await pause(20);
    expect(seen).toBeUndefined();
    expect(resources()).toBe(before);
  });
});
