/**
 * What every policy must do, whatever it is for: without trouble it is not to be noticed, and it leaves nothing behind.
 *
 *     for (const { name, run } of policyConformance((clock) => mine({ clock }))) test(name, run);
 */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { Causality } from "../../contract/causality.ts";
import type { Clock } from "../../waiting/clock.ts";
import { failureOf } from "../../contract/failure.ts";
import { compose, type Policy } from "../../contract/policy.ts";
import { fakeDialect } from "../fake-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { givesBack, probes } from "./policy-load.ts";
import {
  callsOf,
  innerPool,
  type Kind,
  KINDS,
  operation,
  type PolicyTraits,
  type PolicyUnderTest,
  settle,
} from "./policy-trial.ts";
import type { ConformanceTest } from "./subject.ts";

/** Fields of a call that belong to the caller; no policy may lose one. */
const CALLERS = [
  "kind",
  "access",
  "accessSaid",
  "idempotent",
  "signal",
  "priority",
  "consistency",
  "causality",
  "label",
  "attempt",
  "idempotencyKey",
] as const;

const ERRORS: readonly unknown[] = [
  new Error("mine"),
  Object.freeze(new Error("frozen")),
  "a text",
  undefined,
  null,
  0,
];

/**
 * The tests of a policy, on a fake pool and a manual clock. `make` makes it anew for each test. A test rejects with what is
 * wrong.
 */
export function policyConformance(
  make: (clock: Clock) => Policy,
  { settleMs = 0, ownPool = false }: PolicyTraits = {},
): readonly ConformanceTest[] {
  const subject: PolicyUnderTest = { make, settleMs, ownPool };
  const test = (name: string, run: (subject: PolicyUnderTest) => Promise<void>): ConformanceTest => ({
    name,
    skipped: undefined,
    run: () => run(subject),
  });
  return [
    ...KINDS.map((kind) =>
      test(`lets a ${kind} that succeeds pass once, and its value as the same object`, (one) => passes(one, kind)),
    ),
    ...KINDS.map((kind) =>
      test(`passes on what a ${kind} fails with as the same object, once`, (one) => passesOn(one, kind)),
    ),
    ...KINDS.map((kind) =>
      test(`loses nothing of what a ${kind} says, and may only bring its deadline nearer`, (one) => loses(one, kind)),
    ),
    test("never changes the call that it is given", changesNothing),
    test("lets probes pass, also while calls run and after many have failed", probes),
    test("gives back what it holds for calls that fail", givesBack),
    test("ends the pool below with it, once or more often, and leaves no timer", ends),
    test("leaves no timer when it is closed while calls run", endsWhileRunning),
    test("tells its numbers as a snapshot that nobody can change", tells),
    test("passes an interrupt on, with its reason and whom it is for", interrupts),
    test("has the name, the dialect and the bus of the pool below, and says where it stands", stands),
    test("keeps the state of two pools apart", keepsApart),
    test("can stand around nothing but a pool", refuses),
  ];
}

async function passes(subject: PolicyUnderTest, kind: Kind): Promise<void> {
  for (const access of ["read", "write"] as const) {
    const clock = new ManualClock();
    const value = { of: kind };
    const inner = innerPool(() => value);
    const pool = subject.make(clock)(inner);
    const settled = await settle(subject, pool, clock, operation(kind, { access }));
    assert.ok(settled.status === "fulfilled" && settled.value === value, "the value did not come through");
    assert.equal(callsOf(inner).length, 1);
    await pool.close();
  }
}

async function passesOn(subject: PolicyUnderTest, kind: Kind): Promise<void> {
  for (const error of ERRORS) {
    for (const access of ["read", "write"] as const) {
      const clock = new ManualClock();
      const inner = innerPool(() => {
        throw error;
      });
      const pool = subject.make(clock)(inner);
      const settled = await settle(subject, pool, clock, operation(kind, { access }));
      assert.ok(settled.status === "rejected" && settled.reason === error, "the error did not come through");
      assert.equal(failureOf(error).retry, "never");
      assert.equal(callsOf(inner).length, 1, `a ${access} that may have been done was sent again`);
      await pool.close();
    }
  }
}

async function loses(subject: PolicyUnderTest, kind: Kind): Promise<void> {
  for (const access of ["read", "write"] as const) {
    const clock = new ManualClock();
    const inner = innerPool();
    const pool = subject.make(clock)(inner);
    const { signal } = new AbortController();
    const given = operation(kind, {
      access,
      accessSaid: true,
      idempotent: access === "write",
      deadline: clock.now() + 60_000,
      signal,
      label: "mine",
      priority: "critical",
      causality: new Causality(false),
      attempt: 3,
    });
    await settle(subject, pool, clock, given);
    const [seen] = callsOf(inner);
    assert.ok(seen !== undefined, "the call did not come through");
    for (const field of CALLERS) assert.equal(seen[field], given[field], `${field} was lost`);
    assert.ok(seen.deadline <= given.deadline, "the deadline was put off");
    assert.equal(await seen.run({} as never, 1), "ran");
    assert.equal(
      getEventListeners(signal, "abort").length,
      0,
      "it goes on listening to the signal of a call that ended",
    );
    await pool.close();
  }
}

async function changesNothing(subject: PolicyUnderTest): Promise<void> {
  const clock = new ManualClock();
  const pool = subject.make(clock)(innerPool());
  for (const kind of KINDS) {
    const call = Object.freeze(operation(kind, { access: "write" }));
    assert.equal((await settle(subject, pool, clock, call)).status, "fulfilled");
  }
  await pool.close();
}

async function ends(subject: PolicyUnderTest): Promise<void> {
  const clock = new ManualClock();
  const inner = innerPool();
  const pool = subject.make(clock)(inner);
  await settle(subject, pool, clock, operation("query"));
  await Promise.all([pool.close(), pool.close({ drainMs: 5 })]);
  await pool.close();
  assert.deepEqual([inner.closed, clock.pending], [true, 0]);
  const late = await settle(subject, pool, clock, operation("query"));
  const { code } = (late as PromiseRejectedResult).reason as { readonly code?: unknown };
  assert.deepEqual([code, clock.pending], ["ERR_BREAKWATER_POOL_CLOSED", 0]);
}

async function endsWhileRunning(subject: PolicyUnderTest): Promise<void> {
  const clock = new ManualClock();
  const pool = subject.make(clock)(innerPool(() => new Promise(() => undefined)));
  for (const kind of KINDS) void pool.execute(operation(kind)).catch(() => undefined);
  await clock.advance(subject.settleMs);
  // The pool below would end the calls; a fake one does not, and what a policy holds for them may wait for that.
  await pool.close();
  await clock.advance(0);
  assert.equal(clock.pending, 0);
}

async function tells(subject: PolicyUnderTest): Promise<void> {
  const clock = new ManualClock();
  const pool = subject.make(clock)(innerPool());
  const stats = pool.stats();
  for (const part of [stats, stats.policies, stats.nodes, ...stats.policies]) assert.ok(Object.isFrozen(part));
  if (!subject.ownPool) assert.equal(stats.policies[0]?.policy, pool.layers[0]?.name);
  await settle(subject, pool, clock, operation("query"));
  assert.notEqual(pool.stats(), stats);
  await pool.close();
}

async function interrupts(subject: PolicyUnderTest): Promise<void> {
  const inner = innerPool();
  const heard: unknown[] = [];
  const interrupt = inner.interrupt.bind(inner);
  inner.interrupt = (...given) => {
    heard.push(given[0], given[1] ?? "all");
    interrupt(...given);
  };
  const pool = subject.make(new ManualClock())(inner);
  const reason = new Error("gone");
  pool.interrupt(reason);
  pool.interrupt(reason, "waiting");
  assert.deepEqual(heard, [reason, "all", reason, "waiting"]);
  await pool.close();
}

async function stands(subject: PolicyUnderTest): Promise<void> {
  const inner = innerPool();
  const pool = subject.make(new ManualClock())(inner);
  assert.equal(pool.dialect, fakeDialect);
  if (!subject.ownPool) assert.ok(pool.name === inner.name && pool.events === inner.events);
  assert.ok(pool.layers.length > inner.layers.length, "it does not say where it stands");
  await pool.close();
}

async function keepsApart(subject: PolicyUnderTest): Promise<void> {
  const clock = new ManualClock();
  const policy = subject.make(clock);
  const [first, second] = [innerPool(undefined, "first"), innerPool(undefined, "second")];
  const [one, other] = [policy(first), policy(second)];
  await one.close();
  assert.equal((await settle(subject, other, clock, operation("query"))).status, "fulfilled");
  assert.equal(second.closed, false);
  await other.close();
  assert.equal(clock.pending, 0);
}

function refuses(subject: PolicyUnderTest): Promise<void> {
  for (const wrong of [undefined, null, {}, "postgres://localhost/db"]) {
    assert.throws(() => subject.make(new ManualClock())(wrong as never), Error);
    assert.throws(() => compose(subject.make(new ManualClock()))(wrong as never), Error);
  }
  return Promise.resolve();
}
