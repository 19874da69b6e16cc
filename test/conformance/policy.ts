/**
 * What every policy must do, whatever it is for: without trouble it is not to be noticed, and it leaves nothing behind.
 */
import {
  Causality,
  type Clock,
  compose,
  failureOf,
  type Operation,
  operationContext,
  type Policy,
  type Pool,
  queryOperation,
} from "@breakwater/core";
import { emptyResult, fakeDialect, type FakePool, fakePool, ManualClock } from "@breakwater/core/testing";
import { describe, expect, it } from "vitest";

/** Where a policy differs from all others, and why that is right. */
export interface PolicyTraits {
  /** Time that it may need to answer, in milliseconds. @default 0 */
  readonly settleMs?: number;
  /** It is a pool of its own, with a bus and a name of its own, such as a router. @default false */
  readonly ownPool?: boolean;
}

const KINDS = ["query", "transaction", "session"] as const;

/** A pool whose probes say that all is well; `answer` is for the calls. */
function innerPool(answer: () => unknown = () => emptyResult, name = "inner"): FakePool {
  const well = fakeDialect.probe({} as never);
  return fakePool((call) => (call.purpose === "probe" ? well : answer()), name);
}

/** Fields of a call that belong to the caller; no policy may lose one. */
const CALLERS = [
  "kind",
  "access",
  "idempotent",
  "signal",
  "priority",
  "consistency",
  "causality",
  "label",
  "attempt",
  "idempotencyKey",
] as const;

function operation(kind: (typeof KINDS)[number], context: Partial<Operation<unknown>> = {}): Operation<unknown> {
  const base = { ...operationContext("read"), ...(context as object) };
  const run = (): Promise<unknown> => Promise.resolve("ran");
  if (kind === "query") return { ...queryOperation({ text: "SELECT 1" }, base), run };
  return kind === "transaction" ? { ...base, kind, transaction: {}, run } : { ...base, kind, run };
}

/** Runs the suite for one policy. */
export function policyConformance(name: string, make: (clock: Clock) => Policy, traits: PolicyTraits = {}): void {
  describe(`policy ${name}`, () => {
    const { settleMs = 0, ownPool = false } = traits;

    /** Runs one call, and lets the time pass that the policy may need. */
    async function run(
      pool: Pool,
      clock: ManualClock,
      call: Operation<unknown>,
    ): Promise<PromiseSettledResult<unknown>> {
      const outcome = Promise.allSettled([pool.execute(call)]);
      await clock.advance(settleMs);
      const [settled] = await outcome;
      return settled;
    }

    it.each(KINDS)("lets a %s that succeeds pass once, and its value as the same object", async (kind) => {
      for (const access of ["read", "write"] as const) {
        const clock = new ManualClock();
        const value = { of: kind };
        const inner = innerPool(() => value);
        const pool = make(clock)(inner);
        const settled = await run(pool, clock, operation(kind, { access }));
        expect(settled).toMatchObject({ status: "fulfilled" });
        expect((settled as PromiseFulfilledResult<unknown>).value).toBe(value);
        expect(inner.calls.filter(({ purpose }) => purpose === "call")).toHaveLength(1);
        await pool.close();
      }
    });

    const errors: readonly unknown[] = [
      new Error("mine"),
      Object.freeze(new Error("frozen")),
      "a text",
      undefined,
      null,
      0,
    ];
    it.each(KINDS)("passes on what a %s fails with as the same object, once", async (kind) => {
      for (const error of errors) {
        const clock = new ManualClock();
        const inner = innerPool(() => {
          throw error;
        });
        const pool = make(clock)(inner);
        const settled = await run(pool, clock, operation(kind));
        expect(settled.status).toBe("rejected");
        expect((settled as PromiseRejectedResult).reason).toBe(error);
        expect(failureOf(error).retry).toBe("never");
        expect(inner.calls.filter(({ purpose }) => purpose === "call")).toHaveLength(1);
        await pool.close();
      }
    });

    it.each(KINDS)("loses nothing of what a %s says, and may only bring its deadline nearer", async (kind) => {
      const clock = new ManualClock();
      const inner = innerPool();
      const pool = make(clock)(inner);
      const { signal } = new AbortController();
      const given = operation(kind, {
        deadline: clock.now() + 60_000,
        signal,
        label: "mine",
        priority: "critical",
        causality: new Causality(false),
        attempt: 3,
      });
      await run(pool, clock, given);
      const [seen] = inner.calls.filter(({ purpose }) => purpose === "call");
      for (const field of CALLERS) expect(seen?.[field], field).toBe(given[field]);
      expect(seen?.deadline).toBeLessThanOrEqual(given.deadline);
      expect(await seen?.run({} as never, 1)).toBe("ran");
      await pool.close();
    });

    it("never changes the call that it is given", async () => {
      const clock = new ManualClock();
      const pool = make(clock)(innerPool());
      for (const kind of KINDS) {
        expect((await run(pool, clock, Object.freeze(operation(kind, { access: "write" })))).status).toBe("fulfilled");
      }
      await pool.close();
    });

    it("ends the pool below with it, once or more often, and leaves no timer", async () => {
      const clock = new ManualClock();
      const inner = innerPool();
      const pool = make(clock)(inner);
      await run(pool, clock, operation("query"));
      await Promise.all([pool.close(), pool.close({ drainMs: 5 })]);
      await pool.close();
      expect(inner.closed).toBe(true);
      expect(clock.pending).toBe(0);
      const late = await run(pool, clock, operation("query"));
      expect(late).toMatchObject({ status: "rejected", reason: { code: "ERR_BREAKWATER_POOL_CLOSED" } });
      expect(clock.pending).toBe(0);
    });

    it("leaves no timer when it is closed while calls run", async () => {
      const clock = new ManualClock();
      const pool = make(clock)(innerPool(() => new Promise(() => undefined)));
      for (const kind of KINDS) void pool.execute(operation(kind)).catch(() => undefined);
      await clock.advance(settleMs);
      // The pool below would end the calls; a fake one does not, and what a policy holds for them may wait for that.
      await pool.close();
      await clock.advance(0);
      expect(clock.pending).toBe(0);
    });

    it("tells its numbers as a snapshot that nobody can change", async () => {
      const clock = new ManualClock();
      const pool = make(clock)(innerPool());
      const stats = pool.stats();
      expect(Object.isFrozen(stats)).toBe(true);
      expect(Object.isFrozen(stats.policies)).toBe(true);
      expect(Object.isFrozen(stats.nodes)).toBe(true);
      for (const own of stats.policies) expect(Object.isFrozen(own)).toBe(true);
      if (!ownPool) expect(stats.policies[0]?.policy).toBe(pool.layers[0]?.name);
      await run(pool, clock, operation("query"));
      expect(pool.stats()).not.toBe(stats);
      await pool.close();
    });

    it("passes an interrupt on, with its reason and whom it is for", async () => {
      const clock = new ManualClock();
      const inner = innerPool();
      const heard: unknown[] = [];
      const interrupt = inner.interrupt.bind(inner);
      inner.interrupt = (...given) => {
        heard.push(given[0], given[1] ?? "all");
        interrupt(...given);
      };
      const pool = make(clock)(inner);
      const reason = new Error("gone");
      pool.interrupt(reason);
      pool.interrupt(reason, "waiting");
      expect(heard).toEqual([reason, "all", reason, "waiting"]);
      await pool.close();
    });

    it("has the name, the dialect and the bus of the pool below, and says where it stands", async () => {
      const inner = innerPool();
      const pool = make(new ManualClock())(inner);
      expect(pool.dialect).toBe(fakeDialect);
      if (!ownPool) expect([pool.name, pool.events]).toEqual([inner.name, inner.events]);
      expect(pool.layers.length).toBeGreaterThan(inner.layers.length);
      await pool.close();
    });

    it("keeps the state of two pools apart", async () => {
      const clock = new ManualClock();
      const policy = make(clock);
      const [first, second] = [innerPool(undefined, "first"), innerPool(undefined, "second")];
      const [one, other] = [policy(first), policy(second)];
      await one.close();
      expect((await run(other, clock, operation("query"))).status).toBe("fulfilled");
      expect(second.closed).toBe(false);
      await other.close();
      expect(clock.pending).toBe(0);
    });

    it("can stand around nothing but a pool", () => {
      for (const wrong of [undefined, null, {}, "postgres://localhost/db"]) {
        expect(() => make(new ManualClock())(wrong as never)).toThrow(Error);
        expect(() => compose(make(new ManualClock()))(wrong as never)).toThrow(Error);
      }
    });
  });
}
