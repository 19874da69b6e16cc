import {
  type Dialect,
  type EventMap,
  failureOf,
  type Operation,
  operationContext,
  OutcomeUnknownError,
  type Phase,
  type Pool,
  type Situation,
} from "@breakwater/core";
import { emptyResult, fakeCall, fakeDialect, type FakePool, fakePool, ManualClock } from "@breakwater/core/testing";
import { describe, expect, it } from "vitest";
import { chaos } from "./index.ts";
import type { ChaosFaultOptions } from "./options.ts";

/** Says of lost connections what a real dialect says, and keeps what it was asked. */
function judging(): { dialect: Dialect; asked: { error: unknown; situation: Situation }[] } {
  const asked: { error: unknown; situation: Situation }[] = [];
  const judge: Dialect["judge"] = (error, situation) => {
    asked.push({ error, situation });
    const { phase, access, inTransaction } = situation;
    const lost = (error as { code?: string }).code?.startsWith("ECONN") === true;
    const kept = lost && access === "write" && (phase === "committing" || (phase === "running" && !inTransaction));
    return {
      phase,
      effect: kept ? "unknown" : "none",
      retry: kept ? "never" : "other-node",
      blames: "node",
      connection: "destroy",
      reason: "planted",
    };
  };
  return { dialect: { ...fakeDialect, judge }, asked };
}

function stand(
  answer: () => unknown = () => emptyResult,
  name = "n1",
): FakePool & { asked: { situation: Situation }[] } {
  const { dialect, asked } = judging();
  return Object.assign(fakePool(answer, name), { dialect, asked });
}

async function errorOf(call: Promise<unknown>): Promise<Error & { code?: string }> {
  const settled = await Promise.allSettled([call]);
  const [one] = settled;
  if (one.status === "fulfilled") throw new Error("the call succeeded");
  return one.reason as Error & { code?: string };
}

const write = fakeCall({ access: "write" });

function transaction(run: () => Promise<unknown> = async () => "value"): Operation<unknown> {
  return { ...operationContext("write"), kind: "transaction", transaction: {}, run };
}

describe("chaos", () => {
  it("injects nothing until a fault is on, and nothing after it is off", async () => {
    const policy = chaos();
    const inner = stand();
    const pool = policy(inner);
    await pool.execute(write);
    const fault = policy.inject({ fault: "refused-acquire" });
    await errorOf(pool.execute(write));
    fault.off();
    await pool.execute(write);
    using _again = policy.inject({ fault: "refused-acquire" });
    policy.off();
    await pool.execute(write);
    expect([fault.hits, fault.ended, inner.calls.length]).toEqual([1, true, 3]);
    expect(pool.stats().policies[0]).toMatchObject({ policy: "chaos", faults: 0, "refused-acquire": 1 });
  });

  it.each<[string, ChaosFaultOptions, Phase, object]>([
    ["a code of the server", { fault: "error", sqlstate: "40001" }, "running", { code: "40001", severity: "ERROR" }],
    ["one that ends the session", { fault: "error", sqlstate: "57P01" }, "running", { severity: "FATAL" }],
    ["one for newcomers", { fault: "error", sqlstate: "53300" }, "connect", { code: "53300", severity: "FATAL" }],
    ["a connect", { fault: "error", phase: "connect" }, "connect", { code: "ECONNREFUSED", syscall: "connect" }],
    ["before it is sent", { fault: "error", phase: "unsent" }, "unsent", { code: "ECONNRESET" }],
    ["while it runs", { fault: "error", phase: "running", message: "mine" }, "running", { code: "ECONNRESET" }],
    [
      "an error of one's own",
      { fault: "error", phase: "unsent", make: () => ({ code: "ER_X" }) },
      "unsent",
      { code: "ER_X" },
    ],
  ])("fails a read as a driver would: %s", async (_, options, phase, expected) => {
    const inner = stand();
    const pool = chaos({ faults: [options] })(inner);
    const error = await errorOf(pool.execute(fakeCall()));
    expect(error).toMatchObject(expected);
    expect(failureOf(error)).toMatchObject({ phase, effect: "none" });
    expect(inner.calls).toHaveLength(0);
    expect(inner.asked[0]?.situation).toMatchObject({ phase, access: "read", inTransaction: false });
  });

  it("leaves the outcome of a write unknown when its connection breaks, and not before it is sent", async () => {
    const policy = chaos();
    const inner = stand();
    const pool = policy(inner);
    const told: EventMap["call:outcome-unknown"][] = [];
    inner.events.on("call:outcome-unknown", (event) => told.push(event));
    const running = policy.inject({ fault: "error", phase: "running" });
    const unknown = await errorOf(pool.execute(write));
    expect(unknown).toBeInstanceOf(OutcomeUnknownError);
    expect(failureOf(unknown)).toMatchObject({ effect: "unknown", retry: "never" });
    expect(told).toMatchObject([{ pool: "n1", error: unknown }]);
    running.off();
    policy.inject({ fault: "error", phase: "unsent" });
    expect(failureOf(await errorOf(pool.execute(write))).effect).toBe("none");
    expect(inner.calls).toHaveLength(0);
  });

  it("runs a call whose reply is lost, once", async () => {
    const inner = stand();
    const pool = chaos({ faults: [{ fault: "lost-reply" }] })(inner);
    expect(await errorOf(pool.execute(write))).toBeInstanceOf(OutcomeUnknownError);
    const read = await errorOf(pool.execute(fakeCall()));
    expect([read.code, failureOf(read).effect]).toEqual(["ECONNRESET", "none"]);
    const commit = await errorOf(pool.execute(transaction()));
    expect([commit.code, failureOf(commit).phase]).toEqual(["ERR_BREAKWATER_OUTCOME_UNKNOWN", "committing"]);
    expect(inner.calls).toHaveLength(3);
  });

  it("does not count a lost reply where there was none: the call's own failure passes", async () => {
    const own = new Error("own");
    let fails = true;
    const policy = chaos();
    const fault = policy.inject({ fault: "lost-reply", times: 1 });
    const pool = policy(
      stand(() => {
        if (fails) throw own;
        return emptyResult;
      }),
    );
    expect(await errorOf(pool.execute(write))).toBe(own);
    expect([fault.hits, fault.ended]).toEqual([0, false]);
    fails = false;
    expect(await errorOf(pool.execute(write))).toBeInstanceOf(OutcomeUnknownError);
    expect([fault.hits, fault.ended]).toEqual([1, true]);
  });

  it("claims no more than its times while calls are under way", async () => {
    const waiting: (() => void)[] = [];
    const policy = chaos();
    const fault = policy.inject({ fault: "lost-reply", times: 1 });
    const pool = policy(stand(() => new Promise<void>((resolve) => waiting.push(resolve))));
    const all = Promise.allSettled([1, 2, 3].map(() => pool.execute(write)));
    await Promise.resolve();
    for (const resolve of waiting) resolve();
    expect((await all).map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect(fault.hits).toBe(1);
  });

  it("fails a COMMIT after the transaction's function has run, and has it rolled back", async () => {
    const ran: string[] = [];
    const inner = stand();
    const execute: Pool["execute"] = async (operation) => {
      try {
        return await operation.run({ query: async () => emptyResult } as never, 1);
      } catch (error) {
        ran.push("rollback");
        throw error;
      }
    };
    const pool = chaos({ faults: [{ fault: "error", phase: "committing", sqlstate: "40001" }] })(
      Object.assign(inner, { execute }),
    );
    const call = transaction(async () => {
      ran.push("work");
    });
    const error = await errorOf(pool.execute(call));
    expect([error.code, failureOf(error).phase, ran]).toEqual(["40001", "committing", ["work", "rollback"]]);
    const own = new Error("own");
    expect(await errorOf(pool.execute(transaction(() => Promise.reject(own))))).toBe(own);
    await pool.execute(fakeCall());
    expect(pool.stats().policies[0]).toMatchObject({ error: 1 });
  });

  it("refuses an acquire as an adapter does whose connections are all taken", async () => {
    const inner = stand();
    const pool = chaos({ faults: [{ fault: "refused-acquire" }] })(inner);
    const error = await errorOf(pool.execute({ ...operationContext("read"), kind: "session", run: async () => 1 }));
    expect(error.code).toBe("ERR_BREAKWATER_TIMEOUT");
    expect(failureOf(error)).toMatchObject({ phase: "acquire", effect: "none", blames: "load" });
    expect(inner.calls).toHaveLength(0);
  });

  it("delays by a fixed time or by the dice, and adds latencies up", async () => {
    const clock = new ManualClock();
    const policy = chaos({ clock, random: () => 0.5 });
    const inner = stand();
    const pool = policy(inner);
    policy.inject({ fault: "latency", latencyMs: 100 });
    policy.inject({ fault: "latency", latencyMs: [10, 30] });
    const call = pool.execute(write);
    await clock.advance(119);
    expect(inner.calls).toHaveLength(0);
    await clock.advance(1);
    await call;
    expect([inner.calls.length, clock.pending]).toEqual([1, 0]);
  });

  it("delays before another fault strikes, and the first of the others decides", async () => {
    const clock = new ManualClock();
    const policy = chaos({ clock });
    const pool = policy(stand());
    const first = policy.inject({ fault: "refused-acquire" });
    const second = policy.inject({ fault: "lost-reply" });
    policy.inject({ fault: "latency", latencyMs: 50 });
    const call = errorOf(pool.execute(write));
    first.off(); // its strike stays
    await clock.advance(50);
    expect((await call).code).toBe("ERR_BREAKWATER_TIMEOUT");
    expect([first.hits, second.hits]).toEqual([1, 0]);
  });

  it("waits neither beyond a deadline, nor for a caller who left, nor for a pool that is closed", async () => {
    const clock = new ManualClock();
    const inner = stand();
    const pool = chaos({ clock, faults: [{ fault: "latency", latencyMs: 1000 }] })(inner);
    const late = errorOf(pool.execute(fakeCall({ deadline: clock.now() + 10 })));
    await clock.advance(10);
    expect(failureOf(await late)).toMatchObject({ phase: "unsent", effect: "none" });
    const controller = new AbortController();
    const left = errorOf(pool.execute(fakeCall({ signal: controller.signal })));
    controller.abort(new Error("left"));
    expect((await left).message).toBe("left");
    const gone = new Error("gone before");
    expect(await errorOf(pool.execute(fakeCall({ signal: AbortSignal.abort(gone) })))).toBe(gone);
    const waiting = errorOf(pool.execute(fakeCall()));
    await pool.close();
    expect((await waiting).code).toBe("ERR_BREAKWATER_POOL_CLOSED");
    expect([inner.calls.length, clock.pending]).toEqual([0, 0]);
  });

  it.each<[string, Partial<ChaosFaultOptions>, Partial<Operation<unknown>>, boolean]>([
    ["label", { label: "orders" }, { label: "orders" }, true],
    ["another label", { label: "orders" }, { label: "carts" }, false],
    ["no label", { label: "orders" }, {}, false],
    ["pattern of labels", { label: /^ord/g }, { label: "orders" }, true],
    ["access", { access: "write" }, { access: "read" }, false],
    ["node", { node: "n1" }, {}, true],
    ["another node", { node: /^replica/ }, {}, false],
    ["kind", { kind: "transaction" }, {}, false],
    ["probe", {}, { purpose: "probe" }, false],
    ["probe that is meant", { probes: true }, { purpose: "probe" }, true],
  ])("strikes what is in scope: %s", async (_, scope, context, struck) => {
    const pool = chaos({ faults: [{ fault: "refused-acquire", ...scope } as ChaosFaultOptions] })(stand());
    for (let call = 0; call < 3; call++) {
      const settled = await Promise.allSettled([pool.execute(fakeCall(context as object))]);
      expect(settled[0].status).toBe(struck ? "rejected" : "fulfilled");
    }
  });

  it("strikes the same calls for the same seed, about as many as the rate says, and all its pools", async () => {
    const run = async (seed: number): Promise<string> => {
      const policy = chaos({ seed, faults: [{ fault: "refused-acquire", injectionRate: 0.3 }] });
      const pools = [policy(stand(undefined, "a")), policy(stand(undefined, "b"))];
      let marks = "";
      for (let call = 0; call < 1000; call++) {
        const [settled] = await Promise.allSettled([pools[call % 2]?.execute(write)]);
        marks += settled.status === "rejected" ? "x" : ".";
      }
      return marks;
    };
    const [one, same, other] = [await run(7), await run(7), await run(8)];
    expect(one).toBe(same);
    expect(one).not.toBe(other);
    const share = one.split("x").length - 1;
    expect(share).toBeGreaterThan(240);
    expect(share).toBeLessThan(360);
  });

  it("never strikes at the rate 0, and says each strike on the bus and to those who watch", async () => {
    const policy = chaos();
    const inner = stand();
    const pool = policy(inner);
    const never = policy.inject({ fault: "error", sqlstate: "40001", injectionRate: 0 });
    for (let call = 0; call < 50; call++) await pool.execute(write);
    expect(never.hits).toBe(0);
    const heard: EventMap["chaos:injected"][] = [];
    inner.events.on("chaos:injected", (event) => heard.push(event));
    const fault = policy.inject({ fault: "error", sqlstate: "40001", times: 2 });
    const seen: [number, boolean][] = [];
    fault.watch(() => seen.push([fault.hits, fault.ended]));
    const error = await errorOf(pool.execute(fakeCall({ access: "write", label: "pay" })));
    await errorOf(pool.execute(write));
    await pool.execute(write);
    expect(heard).toHaveLength(2);
    expect(heard[0]).toEqual({ pool: "n1", label: "pay", fault: "error", error });
    expect(seen).toEqual([
      [1, false],
      [2, true],
    ]);
  });

  it("is told at start-up that it stands too far out", () => {
    for (const name of ["retry", "router", "circuit-breaker", "commit-resolution", "hedge"]) {
      const inner = Object.assign(stand(), { layers: [{ name, outside: {} }] });
      expect(() => chaos()(inner)).toThrow(`${name} must stand outside chaos`);
    }
  });

  it.each<[unknown, string]>([
    [{ fault: "explode" }, "chaos.fault"],
    [{ fault: "error" }, "chaos.sqlstate"],
    [{ fault: "error", sqlstate: "4000" }, "chaos.sqlstate"],
    [{ fault: "error", phase: "later" }, "chaos.phase"],
    [{ fault: "error", phase: "committing", kind: "query" }, "chaos.kind"],
    [{ fault: "error", sqlstate: "40001", make: 1 }, "chaos.make"],
    [{ fault: "error", sqlstate: "40001", latencyMs: 1 }, "chaos.inject.latencyMs"],
    [{ fault: "latency" }, "chaos.latencyMs"],
    [{ fault: "latency", latencyMs: [2, 1] }, "chaos.latencyMs"],
    [{ fault: "latency", latencyMs: [-1, 1] }, "chaos.latencyMs[0]"],
    [{ fault: "lost-reply", kind: "session" }, "chaos.kind"],
    [{ fault: "refused-acquire", injectionRate: 1.1 }, "chaos.injectionRate"],
    [{ fault: "refused-acquire", injectionRate: Number.NaN }, "chaos.injectionRate"],
    [{ fault: "refused-acquire", injectionRate: "0.5" }, "chaos.injectionRate"],
    [{ fault: "refused-acquire", times: 0 }, "chaos.times"],
    [{ fault: "refused-acquire", label: "" }, "chaos.label"],
    [{ fault: "refused-acquire", access: "all" }, "chaos.access"],
    [{ fault: "refused-acquire", probes: 1 }, "chaos.probes"],
    [null, "chaos.inject"],
  ])("refuses %o", (given, option) => {
    expect(() => chaos().inject(given as never)).toThrow(
      expect.objectContaining({ code: "ERR_BREAKWATER_OPTION", option }),
    );
  });

  it.each<[unknown, string]>([
    [{ seed: 1.5 }, "chaos.seed"],
    [{ seed: 1, random: Math.random }, "chaos.seed"],
    [{ random: 1 }, "chaos.random"],
    [{ clock: {} }, "chaos.clock"],
    [{ faults: {} }, "chaos.faults"],
    [{ rate: 1 }, "chaos.rate"],
  ])("refuses %o at construction", (given, option) => {
    expect(() => chaos(given as never)).toThrow(expect.objectContaining({ code: "ERR_BREAKWATER_OPTION", option }));
  });
});
