import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { CircuitOpenError, failureOf, type Operation, seededRandom } from "@breakwater/core";
import { type Answer, failing, fakeCall, type FakePool, fakePool, ManualClock } from "@breakwater/core/testing";
import { retryBudget } from "../budget/index.ts";
import type { RetryExhausted, RetryScheduled } from "./events.ts";
import type { RetryOptions } from "./options.ts";
import { retry } from "./retry.ts";

/** What is thrown in turn; once that is used up, calls succeed with "ok". */
function failsWith(...errors: readonly unknown[]): Answer {
  return (_, call) => {
    if (call <= errors.length) throw errors[call - 1];
    return "ok";
  };
}

function setUp(answer: Answer, options: RetryOptions = {}) {
  const clock = new ManualClock();
  const inner = fakePool(answer);
  const pool = retry({ clock, jitter: "none", ...options })(inner);
  const scheduled: RetryScheduled[] = [];
  const exhausted: RetryExhausted[] = [];
  pool.events.on("retry:scheduled", (event) => void scheduled.push(event));
  pool.events.on("retry:exhausted", (event) => void exhausted.push(event));
  return { clock, inner, pool, scheduled, exhausted };
}

/** Settles a call while the time passes. */
async function settle<T>(promise: Promise<T>, clock: ManualClock, ms = 60_000) {
  const settled = promise.then(
    (value) => ({ value, error: undefined, atMs: clock.now() }),
    (error: unknown) => ({ value: undefined, error, atMs: clock.now() }),
  );
  await clock.advance(ms);
  return settled;
}

const once = (): Error => failing({ reason: "once", maxRetries: 1 });

const attempts = (inner: FakePool): number[] => inner.calls.map((call) => call.attempt);

describe("retry", () => {
  it("passes a call that succeeds through as it is", async () => {
    const { clock, inner, pool } = setUp(() => "ok");
    const call = fakeCall();
    expect(await pool.execute(call)).toBe("ok");
    expect(inner.calls[0]).toBe(call);
    expect(clock.pending).toBe(0);
  });

  it("runs a failed call again after each wait, numbered", async () => {
    const { clock, inner, pool, scheduled } = setUp(failsWith(failing(), failing(), failing()));
    const { value, atMs } = await settle(pool.execute(fakeCall({ label: "report" })), clock);
    expect(value).toBe("ok");
    expect(atMs).toBe(50 + 100 + 200);
    expect(attempts(inner)).toEqual([1, 2, 3, 4]);
    expect(scheduled.map(({ attempt, delayMs, label, pool: name }) => [attempt, delayMs, label, name])).toEqual([
      [2, 50, "report", "fake"],
      [3, 100, "report", "fake"],
      [4, 200, "report", "fake"],
    ]);
    expect(pool.stats().policies[0]).toMatchObject({
      policy: "retry",
      calls: 1,
      retries: 3,
      recovered: 1,
      exhausted: 0,
    });
  });

  it("stops at maxRetries and rejects with the last error", async () => {
    const errors = [failing(), failing(), failing()];
    const { clock, inner, pool, exhausted } = setUp(failsWith(...errors), { maxRetries: 2 });
    const { error } = await settle(pool.execute(fakeCall()), clock);
    expect(error).toBe(errors[2]);
    expect(inner.calls).toHaveLength(3);
    expect(exhausted).toEqual([
      { pool: "fake", label: undefined, attempts: 3, why: "max-retries", failure: failureOf(errors[2]) },
    ]);
    expect(pool.stats().policies[0]).toMatchObject({ retries: 2, recovered: 0, exhausted: 1, waiting: 0 });
  });

  it("keeps to the limit of each kind of failure", async () => {
    const last = once();
    const { clock, inner, pool, exhausted } = setUp(failsWith(failing(), once(), failing(), last), { maxRetries: 9 });
    expect((await settle(pool.execute(fakeCall()), clock)).error).toBe(last);
    expect(inner.calls).toHaveLength(4);
    expect(exhausted[0]?.why).toBe("max-retries");
  });

  it.each([
    ["never run again", failing({ retry: "never" }), {}],
    ["of unknown effect, and not idempotent", failing({ effect: "unknown" }), {}],
    ["a lock that was waited for", failing({ optIn: "lock" }), {}],
    ["a slow statement", failing({ optIn: "timeout" }), {}],
    ["thrown by the caller", new Error("mine"), {}],
    ["never, although idempotent", failing({ retry: "never", effect: "unknown" }), { idempotent: true }],
  ])("does not repeat what is %s", async (_, error, context) => {
    const { clock, inner, pool, scheduled, exhausted } = setUp(failsWith(error));
    expect((await settle(pool.execute(fakeCall(context)), clock)).error).toBe(error);
    expect([inner.calls.length, scheduled.length, exhausted.length]).toEqual([1, 0, 0]);
  });

  it("repeats an unknown effect when the caller said idempotent", async () => {
    const { clock, pool } = setUp(failsWith(failing({ effect: "unknown" })));
    expect((await settle(pool.execute(fakeCall({ access: "write", idempotent: true })), clock)).value).toBe("ok");
  });

  it.each<[RetryOptions, "lock" | "timeout"]>([
    [{ retryLockTimeouts: true }, "lock"],
    [{ retryStatementTimeouts: true }, "timeout"],
  ])("repeats what was opted in to: %j", async (options, optIn) => {
    const { clock, pool } = setUp(failsWith(failing({ optIn })), options);
    expect((await settle(pool.execute(fakeCall()), clock)).value).toBe("ok");
  });

  it("waits at least as long as the failure asks for, and spreads on top", async () => {
    const { clock, pool } = setUp(failsWith(new CircuitOpenError("fake", 700.2)), { maxDelayMs: 100 });
    const { atMs } = await settle(pool.execute(fakeCall()), clock);
    expect(atMs).toBe(751);
  });

  it("ends at once when the wait would reach the deadline", async () => {
    const error = failing();
    const { clock, inner, pool, exhausted } = setUp(failsWith(failing(), error));
    const result = await settle(pool.execute(fakeCall({ deadline: 150 })), clock);
    expect(result).toMatchObject({ error, atMs: 50 });
    expect(inner.calls).toHaveLength(2);
    expect(exhausted[0]).toMatchObject({ why: "deadline", attempts: 2 });
    expect(clock.pending).toBe(0);
  });

  it("ends at once, with the reason, when the call is aborted while it waits", async () => {
    const { clock, inner, pool, exhausted } = setUp(failsWith(failing()));
    const abort = new AbortController();
    const removed = vi.spyOn(abort.signal, "removeEventListener");
    const outcome = pool.execute(fakeCall({ signal: abort.signal })).catch((error: unknown) => error);
    await clock.advance(20);
    expect(clock.pending).toBe(1);
    const reason = new Error("enough");
    abort.abort(reason);
    expect(await outcome).toBe(reason);
    expect(clock.now()).toBe(20);
    expect([clock.pending, inner.calls.length, exhausted.length]).toEqual([0, 1, 0]);
    expect(removed).toHaveBeenCalled();
    expect(pool.stats().policies[0]).toMatchObject({ waiting: 0 });
  });

  it("does not go on when the call was aborted while the attempt ran", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const { clock, inner, pool } = setUp(() => {
      abort.abort(reason);
      throw failing();
    });
    expect(await settle(pool.execute(fakeCall({ signal: abort.signal })), clock)).toMatchObject({
      error: reason,
      atMs: 0,
    });
    expect(inner.calls).toHaveLength(1);
  });

  it("stops when the budget is empty", async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ clock, minPerWindow: 2 });
    const { pool, inner, exhausted } = setUp(
      () => {
        throw failing();
      },
      { clock, budget },
    );
    await settle(pool.execute(fakeCall()), clock, 1000);
    expect(inner.calls).toHaveLength(3);
    expect(exhausted[0]).toMatchObject({ why: "budget", attempts: 3 });
    expect(pool.stats().policies[0]?.["budget"]).toMatchObject({ calls: 1, retries: 2, left: 0, refused: 1 });
  });

  it("does not ask the budget for a retry that the deadline forbids, or for contention", async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ clock });
    const { pool } = setUp(
      () => {
        throw failing();
      },
      { clock, budget },
    );
    await settle(pool.execute(fakeCall({ deadline: 1 })), clock);
    const conflicts = failsWith(failing({ blames: "contention" }), failing({ blames: "contention" }));
    await settle(setUp(conflicts, { clock, budget }).pool.execute(fakeCall()), clock, 1000);
    expect(budget.stats().retries).toBe(0);
  });

  it("has a budget for each pool unless told otherwise", async () => {
    const clock = new ManualClock();
    const policy = retry({ clock });
    const stats = [fakePool(), fakePool()].map((inner) => policy(inner).stats().policies[0]?.["budget"]);
    expect(stats[0]).toMatchObject({ left: 50 });
    expect(retry({ budget: false })(fakePool()).stats().policies[0]?.["budget"]).toBeUndefined();
  });

  it("leaves probes alone", async () => {
    const error = failing();
    const { clock, inner, pool } = setUp(failsWith(error));
    expect((await settle(pool.execute(fakeCall({ purpose: "probe" })), clock)).error).toBe(error);
    expect(inner.calls).toHaveLength(1);
    expect(pool.stats().policies[0]).toMatchObject({ calls: 0 });
  });

  it("ends every wait when the pool is closed", async () => {
    const error = failing();
    const { clock, pool, exhausted } = setUp(failsWith(error), { initialDelayMs: 1000 });
    const settled = settle(pool.execute(fakeCall()), clock, 100);
    await clock.advance(0);
    await pool.close();
    expect((await settled).error).toBe(error);
    expect(clock.pending).toBe(0);
    expect(exhausted[0]?.why).toBe("closed");
  });

  it.each<[string, unknown]>([
    ["a TypeError", failing({}, new TypeError("socket"))],
    ["an error that cannot be written to", Object.freeze(failing())],
  ])("repeats %s and rejects with the same object", async (_, error) => {
    const { clock, inner, pool } = setUp(() => {
      throw error;
    });
    expect((await settle(pool.execute(fakeCall()), clock)).error).toBe(error);
    expect(inner.calls).toHaveLength(4);
  });

  it.each([["a text"], [undefined], [null], [0]])("rejects with %j as it is", async (thrown) => {
    const { clock, pool } = setUp(failsWith(failing(), thrown));
    expect((await settle(pool.execute(fakeCall()), clock)).error).toBe(thrown);
  });

  it("rejects with an object that is no error as it is, and repeats it if it was judged", async () => {
    const { clock, inner, pool } = setUp(() => {
      throw failing({}, planted);
    });
    const planted = { severity: "FATAL" } as unknown as Error;
    expect((await settle(pool.execute(fakeCall()), clock)).error).toBe(planted);
    expect(inner.calls).toHaveLength(4);
  });

  it("goes on when a listener throws", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockReturnValue();
    const { clock, pool } = setUp(failsWith(failing()));
    pool.events.on("retry:scheduled", () => {
      throw new Error("listener");
    });
    expect((await settle(pool.execute(fakeCall()), clock)).value).toBe("ok");
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
  });

  describe("when an earlier attempt may have been carried out", () => {
    const unknown = failing({ effect: "unknown", phase: "committing" });
    const context = { access: "write", idempotent: true } as const;

    it.each(["node", "load", "contention"] as const)(
      "says so, rather than what a later attempt says: %s",
      async (blames) => {
        const { clock, pool } = setUp(failsWith(unknown, failing({ blames }), failing({ blames })), { maxRetries: 2 });
        expect((await settle(pool.execute(fakeCall(context)), clock)).error).toBe(unknown);
      },
    );

    it("says so when the call is aborted", async () => {
      const { clock, pool } = setUp(failsWith(unknown));
      const abort = new AbortController();
      const settled = settle(pool.execute(fakeCall({ ...context, signal: abort.signal })), clock, 10);
      await clock.advance(0);
      abort.abort();
      expect((await settled).error).toBe(unknown);
    });

    it("passes on what the database answered: a unique violation may mean that the first attempt won", async () => {
      const violation = failing({ retry: "never", blames: "statement" });
      const { clock, pool } = setUp(failsWith(unknown, violation));
      expect((await settle(pool.execute(fakeCall(context)), clock)).error).toBe(violation);
    });

    it("passes on the last one of its kind", async () => {
      const later = failing({ effect: "unknown" });
      const { clock, pool } = setUp(failsWith(unknown, later), { maxRetries: 1 });
      expect((await settle(pool.execute(fakeCall(context)), clock)).error).toBe(later);
    });
  });

  it("makes at most maxRetries + 1 attempts and starts none at or past the deadline", async () => {
    const anyFailure = fc.record({
      retry: fc.constantFrom("never", "same-node", "other-node", "primary", "transaction"),
      effect: fc.constantFrom("none", "unknown"),
      blames: fc.constantFrom("node", "load", "contention", "statement", "caller"),
      retryAfterMs: fc.nat(3000),
    });
    const scenario = fc.record({
      failures: fc.array(anyFailure, { maxLength: 8 }),
      maxRetries: fc.nat(6),
      deadline: fc.integer({ min: 1, max: 5000 }),
      jitter: fc.constantFrom("full", "equal", "decorrelated", "none"),
      seed: fc.integer(),
      idempotent: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ failures, maxRetries, deadline, jitter, seed, idempotent }) => {
        const starts: number[] = [];
        const thrown: unknown[] = [];
        const answer = (operation: Operation<unknown>, call: number): unknown => {
          starts.push(clock.now());
          expect(operation.attempt).toBe(call);
          const failure = failures[call - 1];
          if (failure === undefined) return "ok";
          thrown.push(failing(failure));
          throw thrown.at(-1);
        };
        const { clock, pool } = setUp(answer, { maxRetries, jitter, random: seededRandom(seed) });
        const result = await settle(pool.execute(fakeCall({ deadline, idempotent })), clock);
        expect(starts.length).toBeLessThanOrEqual(maxRetries + 1);
        expect(Math.max(...starts)).toBeLessThan(deadline);
        expect(result.atMs).toBe(starts.at(-1));
        expect(result.error === undefined || thrown.includes(result.error)).toBe(true);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it.each<[string, unknown]>([
    ["retry", null],
    ["retry.maxRetries", { maxRetries: -1 }],
    ["retry.maxRetries", { maxRetries: 1.5 }],
    ["retry.maxRetries", { maxRetries: null }],
    ["retry.initialDelayMs", { initialDelayMs: -1 }],
    ["retry.initialDelayMs", { initialDelayMs: "50" }],
    ["retry.maxDelayMs", { maxDelayMs: Number.POSITIVE_INFINITY }],
    ["retry.maxDelayMs", { initialDelayMs: 100, maxDelayMs: 99 }],
    ["retry.factor", { factor: 0.5 }],
    ["retry.factor", { factor: Number.NaN }],
    ["retry.jitter", { jitter: "half" }],
    ["retry.budget", { budget: true }],
    ["retry.budget", { budget: null }],
    ["retry.retryLockTimeouts", { retryLockTimeouts: 1 }],
    ["retry.retryStatementTimeouts", { retryStatementTimeouts: "yes" }],
    ["retry.clock", { clock: Date }],
    ["retry.clock", { clock: { now: () => 0 } }],
    ["retry.random", { random: 4 }],
    ["retry.attempts", { attempts: 3 }],
  ])("tells a wrong %s: %j", (option, options) => {
    expect(() => retry(options as RetryOptions)).toThrow(expect.objectContaining({ name: "OptionError", option }));
  });

  it("takes undefined for the default", async () => {
    const clock = new ManualClock();
    const inner = fakePool(() => {
      throw failing();
    });
    const options: object = {
      maxRetries: undefined,
      initialDelayMs: undefined,
      maxDelayMs: undefined,
      factor: undefined,
      jitter: undefined,
      budget: undefined,
      retryLockTimeouts: undefined,
      retryStatementTimeouts: undefined,
      random: undefined,
    };
    const pool = retry({ ...options, clock })(inner);
    await settle(pool.execute(fakeCall()), clock);
    expect(inner.calls).toHaveLength(4);
  });
});
