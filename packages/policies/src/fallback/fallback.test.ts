import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BulkheadFullError, type Operation, policy, PoolClosedError, StackOrderError } from "@breakwater/core";
import { failing, fakeCall, fakePool } from "@breakwater/core/testing";
import { fallback } from "./fallback.ts";
import type { FallbackOptions } from "./options.ts";

function setUp(options: Partial<FallbackOptions> = { value: "instead" }) {
  let answer: () => unknown = () => "ok";
  const inner = fakePool(() => answer());
  const pool = fallback({ for: { blames: ["node"] }, ...options })(inner);
  const heard: unknown[] = [];
  pool.events.on("fallback:answered", ({ label, by }) => void heard.push([label, by]));
  pool.events.on("fallback:failed", ({ label, error }) => void heard.push([label, error]));
  /** Makes a call that ends in this way; says how it ended for the caller. */
  const call = (how: unknown, context: object = {}): Promise<unknown> => {
    answer = () => {
      if (how instanceof Error) throw how;
      return how;
    };
    return pool.execute({ ...fakeCall(), ...context }).catch((error: unknown) => ({ error }));
  };
  const stats = () => pool.stats().policies.at(0)!;
  return { pool, inner, call, heard, stats };
}

const withCode = (code: string): Error => failing({ blames: "statement" }, Object.assign(new Error("x"), { code }));

describe("fallback", () => {
  it("answers a failure that is named, and passes on what is good or not named", async () => {
    const { call, heard, stats } = setUp();
    const other = failing({ blames: "statement" });
    expect(await call("good")).toBe("good");
    expect(await call(failing(), { label: "report" })).toBe("instead");
    expect(await call(other)).toEqual({ error: other });
    expect(heard).toEqual([["report", "value"]]);
    expect(stats()).toEqual({ policy: "fallback", stale: 0, answered: 1, failed: 0 });
  });

  it.each([
    [{ codes: ["53300"] }, withCode("53300"), true],
    [{ codes: ["53300"] }, withCode("23505"), false],
    [{ blames: ["load", "node"] }, failing({ blames: "load" }), true],
    [{ blames: ["load"] }, failing({ blames: "contention" }), false],
    [{ rejected: true }, new BulkheadFullError("fake", 1, 1), true],
    [{ rejected: true }, failing({ blames: "load" }), false],
    [{ rejected: true }, new PoolClosedError("fake"), false],
    [({ failure }) => failure.phase === "connect", failing({ phase: "connect" }), true],
    [({ failure }) => failure.phase === "connect", failing(), false],
  ] satisfies [FallbackOptions["for"], Error, boolean][])(
    "for %o: %s is answered: %s",
    async (named, error, answered) => {
      const { call } = setUp({ for: named, value: "instead" });
      expect(await call(error)).toEqual(answered ? "instead" : { error });
    },
  );

  it("calls a function with the failed call, and waits for its promise", async () => {
    const { call } = setUp({ value: async ({ operation, failure }: never) => [operation, failure] });
    expect(await call(failing({ phase: "connect" }), { label: "x" })).toEqual([
      expect.objectContaining({ label: "x" }),
      expect.objectContaining({ phase: "connect" }),
    ]);
  });

  it("passes on the call's own error when the function throws", async () => {
    const mine = new Error("mine");
    const { call, heard } = setUp({
      value: () => {
        throw mine;
      },
    });
    const error = failing();
    expect(await call(error)).toEqual({ error });
    expect(heard).toEqual([[undefined, mine]]);
  });

  it("gives undefined when that is the value", async () => {
    expect(await setUp({ value: undefined }).call(failing())).toBeUndefined();
  });

  it.each([
    ["none", { access: "write" }, "none", false],
    ["not-kept", { access: "write" }, "none", true],
    ["not-kept", { access: "write" }, "unknown", false],
    ["any", { access: "write" }, "unknown", true],
    ["any", { kind: "session" }, "none", false],
    ["any", { purpose: "probe" }, "none", false],
    ["none", { access: "read", kind: "transaction" }, "none", true],
  ] as const)("with writes %s answers %o of effect %s: %s", async (writes, context, effect, answered) => {
    const { call } = setUp({ value: "instead", writes });
    const error = failing({ effect });
    expect(await call(error, context)).toEqual(answered ? "instead" : { error });
  });

  it("gives the last good answer of the same call, and the value where there is none", async () => {
    const kept = new Map<string, unknown>();
    const stale = {
      key: ({ label }: Operation<unknown>) => label,
      get: (key: string) => kept.get(key),
      set: (key: string, value: unknown) => void kept.set(key, value),
    };
    const { call, heard } = setUp({ stale, value: "instead" });
    await call("first", { label: "a" });
    await call("second", { label: "a" });
    await call("written", { label: "w", access: "write" });
    await call("unnamed");
    expect([...kept]).toEqual([["a", "second"]]);
    expect(await call(failing(), { label: "a" })).toBe("second");
    expect(await call(failing(), { label: "b" })).toBe("instead");
    expect(heard).toEqual([
      ["a", "stale"],
      ["b", "value"],
    ]);
    const alone = setUp({ stale });
    const error = failing();
    expect(await alone.call(error, { label: "b" })).toEqual({ error });
  });

  it("fails no call when the store throws", async () => {
    const broken = (): never => {
      throw new Error("store");
    };
    const { call, stats } = setUp({ stale: { key: () => "k", get: broken, set: broken } });
    const error = failing();
    expect(await call("good")).toBe("good");
    expect(await call(error)).toEqual({ error });
    expect(stats()).toMatchObject({ failed: 2 });
  });

  it.each(["retry", "router", "circuit-breaker", "commit-resolution"])("is refused inside %s", (name) => {
    const layer = policy(name, (operation, next) => next(operation));
    expect(() => layer(fallback({ for: { rejected: true }, value: 1 })(fakePool()))).toThrow(StackOrderError);
  });

  it.each([
    [{ for: { rejected: true } }, "fallback"],
    [{ for: {}, value: 1 }, "fallback.for"],
    [{ value: 1 }, "fallback.for"],
    [{ for: { blames: ["caller"] }, value: 1 }, "fallback.for.blames"],
    [{ for: { blames: "node" }, value: 1 }, "fallback.for.blames"],
    [{ for: { codes: [5] }, value: 1 }, "fallback.for.codes"],
    [{ for: { errors: [] }, value: 1 }, "fallback.for.errors"],
    [{ for: { rejected: true }, value: 1, writes: true }, "fallback.writes"],
    [{ for: { rejected: true }, stale: { key: 1 } }, "fallback.stale.key"],
    [{ for: { rejected: true }, values: 1 }, "fallback.values"],
  ])("refuses %o", (options, option) => {
    expect(() => fallback(options as never)).toThrow(`option ${option} `);
  });

  it("never hides what a write may have left behind, unless asked to", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("node" as const, "load" as const, "contention" as const, "statement" as const),
        fc.constantFrom("connect" as const, "running" as const, "committing" as const),
        fc.constantFrom("none" as const, "not-kept" as const),
        async (blames, phase, writes) => {
          const { call } = setUp({ for: () => true, value: "instead", writes });
          const error = failing({ blames, phase, effect: "unknown" });
          expect(await call(error, { access: "write" })).toEqual({ error });
        },
      ),
    );
  });
});
