import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Causality, policy, StackOrderError, type Statement, TimeoutError } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { coalesce, type CoalesceOptions } from "./coalesce.ts";
import { keyOf } from "./key.ts";

function setUp(options: CoalesceOptions = {}) {
  const clock = new ManualClock();
  const ends: { resolve: (value: unknown) => void; reject: (error: unknown) => void }[] = [];
  const inner = fakePool(
    ({ signal }) =>
      new Promise((resolve, reject) => {
        ends.push({ resolve, reject });
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  );
  const pool = coalesce({ clock, ...options })(inner);
  const causality = new Causality(false);
  const call = (context: object = {}): Promise<unknown> =>
    pool.execute({ ...fakeCall({ causality }), ...context }).catch((error: unknown) => ({ error }));
  const stats = () => pool.stats().policies.at(0);
  return { clock, ends, inner, pool, call, causality, stats };
}

const statement = (text: string, ...values: unknown[]): { readonly statement: Statement } => ({
  statement: { text, values },
});

describe("coalesce", () => {
  it("sends identical reads once and gives all the same object, and sends the next one anew", async () => {
    const { call, ends, inner, stats } = setUp();
    const value = { rows: [] };
    const calls = [call(), call(), call()];
    expect(stats()).toEqual({ policy: "coalesce", running: 1, sent: 1, shared: 2 });
    ends.at(0)!.resolve(value);
    for (const answer of await Promise.all(calls)) expect(answer).toBe(value);
    void call();
    expect(inner.calls).toHaveLength(2);
  });

  it("gives all the same error, once", async () => {
    const { call, ends, stats } = setUp();
    const calls = [call(), call()];
    const error = failing();
    ends.at(0)!.reject(error);
    expect(await Promise.all(calls)).toEqual([{ error }, { error }]);
    expect(stats()).toMatchObject({ running: 0 });
  });

  it.each([
    ["another text", statement("SELECT 2")],
    ["another value", statement("SELECT 1", 5)],
    ["rows as arrays", { statement: { text: "SELECT 1", rowMode: "array" } }],
    ["parsers of its own", { statement: { text: "SELECT 1", types: {} } }],
    ["a write", { access: "write" }],
    ["a transaction", { kind: "transaction" }],
    ["a session", { kind: "session" }],
    ["a probe", { purpose: "probe" }],
    ["a strong read", { consistency: "strong" }],
    ["a read of another session", { causality: new Causality(false) }],
    ["a read of a session that never goes back in time", { causality: new Causality(true) }],
    ["a read whose writes nobody counts", { causality: undefined }],
    ["a more important read", { priority: "critical" }],
  ])("shares no answer with %s", (_, context) => {
    const { call, inner } = setUp();
    void call();
    void call(context);
    void call(context);
    expect(inner.calls.length).toBeGreaterThanOrEqual(2);
    expect(inner.calls.slice(1)).toEqual(inner.calls.slice(1).map(() => expect.objectContaining(context)));
  });

  it("shares a less important and an eventual read, of any session", () => {
    const { call, inner } = setUp();
    void call();
    void call({ priority: "sheddable" });
    void call({ consistency: "eventual", causality: new Causality(true) });
    expect(inner.calls).toHaveLength(1);
  });

  it("never gives an eventual read's answer to one that must see its session's writes", () => {
    const { call, inner } = setUp();
    void call({ consistency: "eventual" });
    void call();
    expect(inner.calls).toHaveLength(2);
  });

  it("shares no read that began before a write of the session was acknowledged with one after it", async () => {
    const { call, causality, inner, ends } = setUp();
    const before = call();
    causality.wrote();
    const after = call();
    const more = call();
    causality.wrote({ timeline: 1, position: 5n });
    void call();
    expect(inner.calls).toHaveLength(3);
    ends.at(0)!.resolve("old");
    ends.at(1)!.resolve("new");
    expect(await Promise.all([before, after, more])).toEqual(["old", "new", "new"]);
  });

  it("keeps the read going when one caller leaves, and ends it when all have", async () => {
    const { call, ends, inner } = setUp();
    const first = new AbortController();
    const second = new AbortController();
    const calls = [call({ signal: first.signal }), call({ signal: second.signal })];
    first.abort("first left");
    expect(await calls[0]).toEqual({ error: "first left" });
    expect(inner.calls.at(0)!.signal!.aborted).toBe(false);
    second.abort("second left");
    expect(await calls[1]).toEqual({ error: "second left" });
    expect(inner.calls.at(0)!.signal!.aborted).toBe(true);
    void call();
    expect(inner.calls).toHaveLength(2);
    const third = new AbortController();
    const staying = call();
    const leaving = call({ signal: third.signal });
    third.abort("left");
    ends.at(1)!.resolve("answer");
    expect(await Promise.all([staying, leaving])).toEqual(["answer", { error: "left" }]);
    expect(await call({ signal: third.signal })).toEqual({ error: "left" });
  });

  it("holds each caller to its own deadline, and no caller to another's", async () => {
    const { call, clock, ends, inner } = setUp();
    const first = call({ deadline: 100 });
    const hasty = call({ deadline: 50 });
    const patient = call({ deadline: 1000 });
    await clock.advance(50);
    expect(await hasty).toMatchObject({ error: expect.any(TimeoutError) });
    await clock.advance(50);
    const late = {
      phase: "running",
      effect: "none",
      retry: "other-node",
      blames: "load",
      connection: "destroy",
      reason: "late",
    } as const;
    ends.at(0)!.reject(new TimeoutError("fake", "late", late));
    expect(await first).toMatchObject({ error: expect.any(TimeoutError) });
    await clock.advance(0);
    expect(inner.calls).toHaveLength(2);
    ends.at(1)!.resolve("answer");
    expect(await patient).toBe("answer");
    expect(clock.pending).toBe(0);
  });

  it("shares only what it is told to, and remembers no more than maxKeys", () => {
    const { call, inner, stats } = setUp({ only: ({ label }) => label === "hot", maxKeys: 1 });
    for (let each = 0; each < 2; each++) void call();
    expect(inner.calls).toHaveLength(2);
    for (let each = 0; each < 2; each++) void call({ label: "hot" });
    expect(inner.calls).toHaveLength(3);
    for (let each = 0; each < 2; each++) void call({ label: "hot", ...statement("SELECT 2") });
    expect(inner.calls).toHaveLength(5);
    expect(stats()).toMatchObject({ running: 1 });
  });

  it.each(["router", "commit-resolution"])("is refused inside %s", (name) => {
    const layer = policy(name, (operation, next) => next(operation));
    expect(() => layer(coalesce()(fakePool()))).toThrow(StackOrderError);
    expect(() => coalesce()(layer(fakePool()))).not.toThrow();
  });

  it.each([
    [{ only: 5 }, "coalesce.only"],
    [{ maxKeys: 0 }, "coalesce.maxKeys"],
    [{ clock: 5 }, "coalesce.clock"],
    [{ key: 5 }, "coalesce.key"],
  ])("refuses %o", (options, option) => {
    expect(() => coalesce(options as never)).toThrow(`option ${option} `);
  });

  it("takes two statements for one only when text and values are the same", () => {
    const value = fc.oneof(
      fc.string({ maxLength: 3 }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.bigInt(),
      fc.date(),
    );
    const statements = fc.record({
      text: fc.constantFrom("a", "ab", "a1:b"),
      values: fc.array(value, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(statements, statements, (one, other) => {
        const same = keyOf({ ...fakeCall(), statement: one }) === keyOf({ ...fakeCall(), statement: other });
        const equal = one.text === other.text && one.values.length === other.values.length;
        expect(same).toBe(equal && one.values.every((each, at) => isSame(each, other.values[at])));
      }),
    );
    for (const odd of [{}, [1], Symbol("x"), Buffer.from("x")]) {
      expect(keyOf({ ...fakeCall(), ...statement("a", odd) })).toBeUndefined();
    }
  });
});

function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof Date && other instanceof Date) return Object.is(one.getTime(), other.getTime());
  return Object.is(one, other);
}
