import { describe, expect, it } from "vitest";
import { OptionError } from "@breakwater/core";
import { fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { timeout, type TimeoutOptions } from "./timeout.ts";

describe("timeout", () => {
  it("gives a call without a deadline one", async () => {
    const clock = new ManualClock(500);
    const pool = fakePool();
    await timeout({ limitMs: 100, clock })(pool).execute(fakeCall());
    expect(pool.calls[0]?.deadline).toBe(600);
  });

  it("brings a later deadline nearer and leaves a nearer one, and then the operation itself, as they are", async () => {
    const clock = new ManualClock(500);
    const pool = fakePool();
    const limited = timeout({ limitMs: 100, clock })(pool);
    const near = fakeCall({ deadline: 550 });
    await limited.execute(fakeCall({ deadline: 700 }));
    await limited.execute(near);
    expect(pool.calls.map((call) => call.deadline)).toEqual([600, 550]);
    expect(pool.calls[1]).toBe(near);
  });

  it("changes nothing but the deadline", async () => {
    const pool = fakePool();
    const call = fakeCall({ access: "write", idempotent: true, label: "order", attempt: 2, priority: "critical" });
    await timeout({ limitMs: 100, clock: new ManualClock() })(pool).execute(call);
    expect(pool.calls[0]).toEqual({ ...call, deadline: 100 });
  });

  it("sets no timer", async () => {
    const clock = new ManualClock();
    await timeout({ limitMs: 100, clock })(fakePool()).execute(fakeCall());
    expect(clock.pending).toBe(0);
  });

  it.each<[string, unknown]>([
    ["timeout", undefined],
    ["timeout", null],
    ["timeout.limitMs", {}],
    ["timeout.limitMs", { limitMs: undefined }],
    ["timeout.limitMs", { limitMs: 0 }],
    ["timeout.limitMs", { limitMs: -1 }],
    ["timeout.limitMs", { limitMs: Number.NaN }],
    ["timeout.limitMs", { limitMs: Number.POSITIVE_INFINITY }],
    ["timeout.limitMs", { limitMs: "5" }],
    ["timeout.limitMs", { limitMs: 2 ** 31 }],
    ["timeout.limit", { limit: 5 }],
    ["timeout.clock", { limitMs: 5, clock: {} }],
  ])("tells a wrong %s: %j", (option, options) => {
    expect(() => timeout(options as TimeoutOptions)).toThrow(
      expect.objectContaining({ option, name: OptionError.name }),
    );
  });

  it("takes undefined for the default", () => {
    const clock: object = { clock: undefined };
    expect(() => timeout({ limitMs: 1, ...clock })).not.toThrow();
  });
});
