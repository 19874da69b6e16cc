/** What a policy does with many calls: those that fail, those that run on, and the probes between them. */
import assert from "node:assert/strict";
import { emptyResult } from "../fake-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { innerPool, KINDS, operation, type PolicyUnderTest, settle } from "./policy-trial.ts";

/** More calls than a policy lets run at a time, or judges a node by. */
const MANY = 300;

/** Probes come through whatever stands before them: otherwise a router takes a full node for a dead one. */
export async function probes(subject: PolicyUnderTest): Promise<void> {
  const clock = new ManualClock();
  let answer = (): unknown => {
    throw new Error("mine");
  };
  const pool = subject.make(clock)(innerPool(() => answer()));
  const pass = async (when: string): Promise<void> => {
    const { status } = await settle(subject, pool, clock, operation("session", { purpose: "probe" }));
    assert.equal(status, "fulfilled", `a probe did not pass ${when}`);
  };
  await pass("before any call");
  for (let call = 0; call < MANY; call++) await settle(subject, pool, clock, operation("query"));
  await pass("after many calls had failed");
  answer = () => new Promise(() => undefined);
  for (let call = 0; call < MANY; call++) void pool.execute(operation("query")).catch(() => undefined);
  await clock.advance(subject.settleMs);
  await pass("while many calls run");
  await pool.close();
}

/** Numbers of a policy that say that something runs or waits. */
const BUSY = /^(?:running|waiting|queued|active|inFlight)$/;

/** Failures that say nothing against the pool below leave nothing behind that would keep the next call out. */
export async function givesBack(subject: PolicyUnderTest): Promise<void> {
  const clock = new ManualClock();
  let answer = (): unknown => {
    throw new Error("mine");
  };
  const pool = subject.make(clock)(innerPool(() => answer()));
  for (let call = 0; call < MANY; call++) {
    for (const kind of KINDS) await settle(subject, pool, clock, operation(kind));
  }
  for (const { policy, ...numbers } of pool.stats().policies) {
    for (const [name, number] of Object.entries(numbers)) {
      assert.ok(!BUSY.test(name) || number === 0, `${policy} tells ${name}: ${String(number)} when nothing runs`);
    }
  }
  // Whatever counts calls by the minute has forgotten them.
  await clock.advance(60_000);
  answer = () => emptyResult;
  const { status } = await settle(subject, pool, clock, operation("query"));
  assert.equal(status, "fulfilled", `a call did not pass after ${3 * MANY} had failed by their own fault`);
  await pool.close();
}
