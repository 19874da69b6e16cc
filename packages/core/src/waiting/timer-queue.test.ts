import fc from "fast-check";
import { AsyncLocalStorage } from "node:async_hooks";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
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
  it("holds up the process only while a timer is set", { timeout: 120_000 }, async () => {
    const file = new URL("timer-queue.ts", import.meta.url).href;
    const program = (body: string): string =>
      `import { TimerQueue } from ${JSON.stringify(file)}; const queue = new TimerQueue(() => performance.now()); ${body}`;
    const run = promisify(execFile);
    const args = (body: string): string[] => ["--no-warnings", "--input-type=module", "--eval", program(body)];
    // A timer that is set keeps it, or nothing would be said; one that was cancelled does not, or it would not end in time.
    const rang = await run(process.execPath, args(`queue.set(50, () => console.log("rang"));`));
    expect(rang.stdout).toBe("rang\n");
    const cancelled =
      "for (const timer of Array.from({ length: 100 }, () => queue.set(3_600_000, () => {}))) timer.cancel();";
    expect((await run(process.execPath, args(cancelled), { timeout: 60_000 })).stdout).toBe("");
  });

  it("keeps nobody's context", async () => {
    const queue = new TimerQueue(() => performance.now());
    const storage = new AsyncLocalStorage<string>();
    const seen = await new Promise((resolve) =>
      storage.run("a caller", () => queue.set(1, () => resolve(storage.getStore()))),
    );
    expect(seen).toBeUndefined();
  });
});
