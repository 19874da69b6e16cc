/** A policy under test: what it stands around, and calls for it. */
import type { Clock } from "../../waiting/clock.ts";
import { type Operation, operationContext, queryOperation } from "../../contract/operation.ts";
import type { Policy } from "../../contract/policy.ts";
import type { Pool } from "../../contract/pool.ts";
import { emptyResult, fakeDialect, type FakePool, fakePool } from "../fake-pool.ts";
import type { ManualClock } from "../manual-clock.ts";

/** Where a policy differs from all others, and why that is right. */
export interface PolicyTraits {
  /** Time that it may need to answer, in milliseconds. @default 0 */
  readonly settleMs?: number;
  /** It is a pool of its own, with a bus and a name of its own, such as a router. @default false */
  readonly ownPool?: boolean;
}

/** A policy as it is made for one test. */
export interface PolicyUnderTest extends Required<PolicyTraits> {
  make(clock: Clock): Policy;
}

export const KINDS = ["query", "transaction", "session"] as const;
export type Kind = (typeof KINDS)[number];

/** A pool whose probes say that all is well; `answer` is for the calls. */
export function innerPool(answer: () => unknown = () => emptyResult, name = "inner"): FakePool {
  const well = fakeDialect.probe({} as never);
  return fakePool((call) => (call.purpose === "probe" ? well : answer()), name);
}

export function operation(kind: Kind, context: Partial<Operation<unknown>> = {}): Operation<unknown> {
  const base = { ...operationContext("read"), ...(context as object) };
  const run = (): Promise<unknown> => Promise.resolve("ran");
  if (kind === "query") return { ...queryOperation({ text: "SELECT 1" }, base), run };
  return kind === "transaction" ? { ...base, kind, transaction: {}, run } : { ...base, kind, run };
}

/** What was asked of the pool below, but for probes. */
export function callsOf(inner: FakePool): FakePool["calls"] {
  return inner.calls.filter(({ purpose }) => purpose === "call");
}

/** Runs one call, and lets the time pass that the policy may need. */
export async function settle(
  { settleMs }: PolicyUnderTest,
  pool: Pool,
  clock: ManualClock,
  call: Operation<unknown>,
): Promise<PromiseSettledResult<unknown>> {
  const outcome = Promise.allSettled([pool.execute(call)]);
  await clock.advance(settleMs);
  const [settled] = await outcome;
  return settled;
}
