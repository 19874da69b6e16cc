import { describe, expect, it } from "vitest";
import { compose, controlsOf } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { breakwater } from "./breakwater.ts";
import { type OverloadOptions, overloadPolicies } from "./overload.ts";

const clock = new ManualClock();

function layersOf(options: OverloadOptions): readonly string[] {
  return compose(...overloadPolicies(options, { clock }))(fakePool()).layers.map(({ name }) => name);
}

describe("overloadPolicies", () => {
  it.each<[OverloadOptions, readonly string[]]>([
    [{}, []],
    [{ bulkhead: false, throttle: false, adaptiveLimit: false }, []],
    [{ bulkhead: {} }, ["bulkhead"]],
    [{ adaptiveLimit: {} }, ["adaptive-limit"]],
    [{ adaptiveLimit: {}, bulkhead: {}, throttle: {} }, ["throttle", "bulkhead", "adaptive-limit"]],
  ])("makes of %j the layers %j", (options, layers) => {
    expect(layersOf(options)).toEqual(layers);
  });

  it("lets the bulkhead follow the limit, up to its own", async () => {
    const ends: ((error: Error) => void)[] = [];
    const inner = fakePool(() => new Promise((_, reject) => void ends.push(reject)));
    const options = { bulkhead: { maxConcurrent: 4 }, adaptiveLimit: { initial: 3, windowMs: 10 } };
    const pool = compose(...overloadPolicies(options, { clock }))(inner);
    const maxConcurrent = (): unknown =>
      (controlsOf(pool).get("bulkhead").options() as Record<string, unknown>)["maxConcurrent"];
    expect(maxConcurrent()).toBe(3);
    const calls = Array.from({ length: 5 }, () => pool.execute(fakeCall()).catch(() => undefined));
    // Two wait in the bulkhead, by priority, and are not refused further in.
    expect(ends).toHaveLength(3);
    ends[0]?.(failing({ blames: "load" }));
    await clock.advance(1);
    expect(maxConcurrent()).toBe(2);
    expect(ends).toHaveLength(3);
    controlsOf(pool).get("adaptive-limit").configure({ min: 6 });
    expect(maxConcurrent()).toBe(4);
    await clock.advance(1);
    expect(ends).toHaveLength(5);
    for (const end of ends) end(failing());
    await Promise.all(calls);
    await pool.close();
    expect(clock.pending).toBe(0);
  });

  it("stand in the preset around each node, where they are asked for", async () => {
    await using plain = breakwater({ primary: "postgres://localhost/none" });
    expect(
      plain.controls
        .list()
        .map(({ name }) => name)
        .join(" "),
    ).not.toMatch(/bulkhead|adaptive|throttle/);
    await using db = breakwater({
      primary: "postgres://localhost/none",
      bulkhead: { maxQueued: 5 },
      adaptiveLimit: {},
    });
    expect(
      db.controls
        .list()
        .map(({ name }) => name)
        .join(" "),
    ).toMatch(/bulkhead.*adaptive-limit/);
    expect(() => breakwater({ primary: "postgres://localhost/none", bulkhead: { maxQueued: -1 } })).toThrow(
      "bulkhead.maxQueued",
    );
  });
});
