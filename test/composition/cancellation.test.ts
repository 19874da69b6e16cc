import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { compose, sleep } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { circuitBreaker, retry, timeout } from "@breakwater/policies";

// A rejection that nobody handles fails the run: vitest watches for them.

describe("cancelling a call in a stack", () => {
  it("ends a backoff in the same millisecond, and leaves no timer, listener or attempt behind", async () => {
    const clock = new ManualClock();
    const inner = fakePool(() => {
      throw failing({ phase: "connect" });
    });
    const stack = compose(
      timeout({ limitMs: 10_000, clock }),
      retry({ clock, jitter: "none" }),
      circuitBreaker({ clock }),
    );
    const abort = new AbortController();
    const ended = stack(inner)
      .execute(fakeCall({ signal: abort.signal }))
      .catch((error: unknown) => ({ error, atMs: clock.now() }));
    await clock.advance(100);
    expect([inner.calls.length, clock.pending]).toEqual([2, 1]);
    const reason = new Error("the user left");
    abort.abort(reason);
    expect(await ended).toEqual({ error: reason, atMs: 100 });
    expect(clock.pending).toBe(0);
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    await clock.advance(60_000);
    expect(inner.calls).toHaveLength(2);
  });

  it("ends a backoff within 20 ms of real time", async () => {
    const inner = fakePool(() => {
      throw failing();
    });
    const pool = retry({ initialDelayMs: 1500, jitter: "none" })(inner);
    const took: number[] = [];
    // Of several, as others may have the machine for longer than that.
    for (let round = 0; round < 10; round += 1) {
      const abort = new AbortController();
      const ended = pool.execute(fakeCall({ signal: abort.signal })).catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, 30));
      const before = performance.now();
      abort.abort();
      expect(await ended).toBe(abort.signal.reason);
      took.push(performance.now() - before);
    }
    expect(Math.min(...took)).toBeLessThan(20);
  });

  it("passes the signal to every attempt, and the adapter's answer to the caller", async () => {
    const clock = new ManualClock();
    const cut = failing({ retry: "never", blames: "caller", effect: "unknown", phase: "committing" });
    const signals: unknown[] = [];
    const inner = fakePool(async (operation, call) => {
      signals.push(operation.signal);
      if (call === 1) throw failing();
      await sleep(clock, 1000, operation.signal).catch(() => {
        throw cut;
      });
    });
    const abort = new AbortController();
    const ended = compose(
      retry({ clock, jitter: "none" }),
      circuitBreaker({ clock }),
    )(inner)
      .execute(fakeCall({ signal: abort.signal, access: "write" }))
      .catch((error: unknown) => error);
    await clock.advance(200);
    abort.abort();
    expect(await ended).toBe(cut);
    expect(signals).toEqual([abort.signal, abort.signal]);
  });

  it("ends the waits of a pool that is closed", async () => {
    const clock = new ManualClock();
    const inner = fakePool(() => {
      throw failing({ phase: "connect" });
    });
    const pool = compose(timeout({ limitMs: 60_000, clock }), retry({ clock }), circuitBreaker({ clock }))(inner);
    const calls = Array.from({ length: 20 }, () => pool.execute(fakeCall()).catch((error: unknown) => error));
    await clock.advance(1);
    await pool.close();
    expect(await Promise.all(calls)).toHaveLength(20);
    expect(clock.pending).toBe(0);
  });
});
