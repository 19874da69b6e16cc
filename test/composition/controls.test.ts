import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import {
  compose,
  controlsOf,
  type Controls,
  database,
  type EventMap,
  OptionError,
  policy,
  type Policy,
  type Pool,
} from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import {
  adaptiveLimit,
  bulkhead,
  chaos,
  circuitBreaker,
  coalesce,
  commitResolution,
  fallback,
  hedge,
  leakWatch,
  retry,
  retryBudget,
  router,
  throttle,
  timeout,
} from "@breakwater/policies";

const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

/** A whole stack: policies around a router, and around each of its nodes. */
function wholeStack(clock: ManualClock, answer: () => unknown = () => "ok"): Pool {
  const node = (name: string): Pool =>
    compose(
      circuitBreaker({ clock }),
      throttle({ clock }),
      bulkhead({ clock }),
      adaptiveLimit({ clock }),
      chaos({ clock }),
    )(
      fakePool((call) => {
        const role = name === "db1" ? ("primary" as const) : ("replica" as const);
        return call.purpose === "probe" ? { role, systemId: undefined, timeline: 1, position: 1n } : answer();
      }, name),
    );
  const nodes = router({ primary: node("db1"), replicas: [node("db2"), node("db3")], clock });
  return compose(
    leakWatch({ clock }),
    coalesce({ clock }),
    fallback({ for: { codes: ["none"] }, value: 1 }),
    timeout({ limitMs: 5_000, clock }),
    hedge({ clock }),
    retry({ clock }),
    commitResolution({ clock }),
    timeout({ limitMs: 1_000, clock }),
  )(nodes);
}

const NODE = ["circuit-breaker", "throttle", "bulkhead", "adaptive-limit", "chaos"];

/** What each may be told, and what it must refuse. */
const CHANGES: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>])[] = [
  ["leak-watch", { maxHeldMs: 50, forceReturnAfterMs: 90 }, { maxHeldMs: 50, forceReturnAfterMs: 49 }],
  ["coalesce", { maxKeys: 5 }, { maxKeys: 0 }],
  ["fallback", { writes: "any", value: 2 }, { writes: "some" }],
  ["timeout", { limitMs: 70 }, { limitMs: -1 }],
  ["timeout#2", { limitMs: 7 }, { limitMs: "7" }],
  ["hedge", { quantile: 0.9, minDelayMs: 1, toPrimary: true }, { quantile: 1 }],
  ["retry", { maxRetries: 7, initialDelayMs: 1, budget: false }, { maxRetries: 1, maxDelayMs: 0 }],
  ["router", { failoverWaitMs: 5, maxWaiting: 3, ejection: { failures: 2 } }, { ejection: { maxRatio: 2 } }],
  ["commit-resolution", { exactlyOnce: true, limitMs: 5 }, { graceMs: 5, limitMs: 0 }],
  ["db1/circuit-breaker", { breakMs: 50, slowCallMs: 90 }, { breakMs: 5, slowCallRatio: 2 }],
  ["db2/throttle", { factor: 3 }, { factor: 0 }],
  ["db3/bulkhead", { maxConcurrent: 2, maxWaitMs: 9 }, { maxConcurrent: 3, maxQueued: -1 }],
  [
    "db2/chaos",
    { faults: [{ fault: "latency", latencyMs: 5 }] },
    { faults: [{ fault: "latency", latencyMs: 9 }, { fault: "none" }] },
  ],
  ["db3/adaptive-limit", { min: 2, max: 8 }, { min: 3, max: 2 }],
];

describe("the controls of a stack", () => {
  it("are all there, each under a name of its own, in the order in which a call meets them", () => {
    const pool = wholeStack(new ManualClock());
    const names = controlsOf(pool)
      .list()
      .map(({ name }) => name);
    expect(names).toEqual([
      "leak-watch",
      "coalesce",
      "fallback",
      "timeout",
      "hedge",
      "retry",
      "commit-resolution",
      "timeout#2",
      "router",
      ...["db1", "db2", "db3"].flatMap((node) => NODE.map((one) => `${node}/${one}`)),
    ]);
    expect(new Set(names).size).toBe(names.length);
    expect(database(pool).controls.get("timeout#2").options()).toEqual({ limitMs: 1_000 });
    expect(() => controlsOf(pool).get("nobody")).toThrow(/db3\/bulkhead/);
  });

  it("take back what they tell, and nothing in the place of a number or a flag", () => {
    for (const control of controlsOf(wholeStack(new ManualClock())).list()) {
      const before = control.options();
      control.configure(before);
      expect(control.options()).toEqual(before);
      for (const [option, value] of Object.entries(before)) {
        if (typeof value !== "number" && typeof value !== "boolean") continue;
        if (control.name === "fallback" && option === "value") continue;
        expect(() => control.configure({ [option]: null }), `${control.name} ${option}`).toThrow(OptionError);
      }
      expect(control.options()).toEqual(before);
    }
  });

  it("refuse what is no ejection, and switch it off with false", () => {
    const control = controlsOf(wholeStack(new ManualClock())).get("router");
    const before = control.options();
    for (const wrong of [5, true, null, Number.NaN, "off", [], () => 1, { failures: null }, { unknown: 1 }])
      expect(() => control.configure({ ejection: wrong }), inspect(wrong)).toThrow(OptionError);
    expect(control.options()).toEqual(before);
    control.configure({ ejection: false });
    expect(control.options()).toMatchObject({ ejection: false });
  });

  it.each(CHANGES)("change %s: all of it or nothing, and say so", (name, changes, wrong) => {
    const pool = wholeStack(new ManualClock());
    const { controls } = database(pool);
    const heard: EventMap["control:changed"][] = [];
    pool.events.on("control:changed", (event) => void heard.push(event));
    const before = controls.get(name).options();
    expect(Object.isFrozen(before)).toBe(true);

    expect(() => controls.get(name).configure(wrong)).toThrow(OptionError);
    expect(() => controls.get(name).configure({ ...changes, unknown: 1 })).toThrow(OptionError);
    expect(() => controls.get(name).configure({ ...changes, clock: new ManualClock() })).toThrow(OptionError);
    for (const none of [undefined, null, 5, "x"]) {
      expect(() => controls.get(name).configure(none as never)).toThrow(OptionError);
    }
    expect(controls.get(name).options()).toEqual(before);
    expect(heard).toEqual([]);

    const unsaid = Object.fromEntries(Object.keys(before).map((option) => [option, undefined]));
    controls.get(name).configure(unsaid);
    expect(controls.get(name).options()).toEqual(before);
    heard.length = 0;

    controls.get(name).configure(changes);
    const { ejection, ...others } = changes;
    expect(controls.get(name).options()).toMatchObject(changes);
    for (const option of Object.keys(before)) {
      if (!(option in changes)) expect(controls.get(name).options()[option]).toEqual(before[option]);
    }
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({ control: name, options: others });
    void ejection;
  });

  it("hold for the next call, without losing who waits and what was counted", async () => {
    const clock = new ManualClock();
    const ends: ((error?: unknown) => void)[] = [];
    const inner = fakePool(
      () =>
        new Promise((resolve, reject) => ends.push((error) => (error === undefined ? resolve("ok") : reject(error)))),
    );
    const pool = compose(bulkhead({ clock, maxConcurrent: 1 }), circuitBreaker({ clock }))(inner);
    const controls = controlsOf(pool);
    const calls = [pool.execute(fakeCall()), pool.execute(fakeCall()), pool.execute(fakeCall())];
    expect(ends).toHaveLength(1);
    controls.get("bulkhead").configure({ maxConcurrent: 3 });
    expect(ends).toHaveLength(3);
    for (const end of ends) end(failing({ retry: "never" }));
    await Promise.all(calls.map(outcome));
    // Three failures were counted; the new rule needs four.
    controls.get("circuit-breaker").configure({ trip: { kind: "consecutive", failures: 4 } });
    const last = outcome(pool.execute(fakeCall()));
    ends.at(-1)!(failing({ retry: "never" }));
    await last;
    expect(controls.get("circuit-breaker").act("state")).toBe("open");
  });

  it("change timeout and retry under way", async () => {
    const clock = new ManualClock();
    const inner = fakePool(() => {
      throw failing();
    });
    const pool = compose(timeout({ limitMs: 100, clock }), retry({ clock, jitter: "none", initialDelayMs: 10 }))(inner);
    const controls = controlsOf(pool);
    controls.get("timeout").configure({ limitMs: 50_000 });
    controls.get("retry").configure({ maxRetries: 1 });
    const failed = outcome(pool.execute(fakeCall()));
    await clock.advance(5_000);
    await failed;
    expect(inner.calls.map(({ deadline }) => deadline)).toEqual([50_000, 50_000]);
    const budget = retryBudget({ clock, ratio: 0.1, minPerWindow: 0 });
    controls.get("retry").configure({ maxRetries: 9, budget });
    const refused = outcome(pool.execute(fakeCall()));
    await clock.advance(5_000);
    await refused;
    expect(inner.calls).toHaveLength(3);
    expect(controls.get("retry").actions).toEqual(["changeBudget"]);
    expect(() => controls.get("retry").act("changeBudget", { ratio: 2 })).toThrow(OptionError);
    controls.get("retry").act("changeBudget", { ratio: 0.5 });
    expect(budget.stats().refused).toBe(1);
  });

  it("strike with faults and end them", async () => {
    const inner = fakePool(() => "ok");
    const policyOf = chaos({ clock: new ManualClock() });
    const pool = policyOf(inner);
    const hand = controlsOf(pool).get("chaos");
    const fault = hand.act("inject", { fault: "error", phase: "unsent", times: 1 }) as { readonly hits: number };
    expect(hand.options()).toMatchObject({ faults: [{ fault: "error", phase: "unsent", times: 1 }] });
    await expect(pool.execute(fakeCall())).rejects.toThrow("injected fault");
    expect(fault.hits).toBe(1);
    expect(hand.options()).toEqual({ faults: [] });
    hand.configure({ faults: [{ fault: "error", phase: "unsent" }] });
    await expect(pool.execute(fakeCall())).rejects.toThrow("injected fault");
    hand.act("off");
    expect(await pool.execute(fakeCall())).toBe("ok");
    expect(inner.calls).toHaveLength(1);
  });

  it("isolate a breaker, reset it, drain a node, weigh it, by name", async () => {
    const clock = new ManualClock();
    const pool = wholeStack(clock);
    const db = database(pool, { clock });
    const breaker = db.controls.get("db1/circuit-breaker");
    expect(breaker.actions).toEqual(["isolate", "reset", "state"]);
    const lift = breaker.act("isolate") as () => void;
    expect(breaker.act("state")).toBe("isolated");
    breaker.act("reset");
    expect(breaker.act("state")).toBe("closed");
    breaker.act("isolate");
    lift();
    // It was lifted by the reset; what isolates now is another's.
    expect(breaker.act("state")).toBe("isolated");
    breaker.act("reset");

    const nodes = db.controls.get("router");
    await nodes.act("drain", "db2");
    expect(pool.stats().policies.find(({ policy: of }) => of === "router")).toMatchObject({
      nodes: { db2: { draining: true } },
    });
    nodes.act("resume", "db2");
    nodes.act("weigh", "db2", 3);
    expect(() => nodes.act("weigh", "db2", 0)).toThrow(OptionError);
    expect(() => nodes.act("weigh", "db9", 1)).toThrow(OptionError);
    expect(() => nodes.act("toString")).toThrow(OptionError);
    expect(() => breaker.act("explode")).toThrow(/isolate, reset, state/);
    await db.close();
  });

  it("are those of the nodes that are there, and pass what has none", () => {
    const clock = new ManualClock();
    const plain: Policy = policy("plain", (operation, next) => next(operation));
    expect(controlsOf(plain(fakePool())).list()).toEqual([]);
    expect(controlsOf(fakePool()).list()).toEqual([]);
    const through = compose(plain, timeout({ limitMs: 5, clock }))(fakePool());
    expect(namesOf(controlsOf(through))).toEqual(["timeout"]);
    // Two stacks around one pool do not see each other's.
    const shared = fakePool();
    const limited = timeout({ limitMs: 5, clock })(shared);
    retry({ clock })(shared);
    expect(namesOf(controlsOf(limited))).toEqual(["timeout"]);
  });
});

function namesOf(controls: Controls): readonly string[] {
  return controls.list().map(({ name }) => name);
}
