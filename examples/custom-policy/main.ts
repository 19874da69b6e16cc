/**
 * Shows a policy that was written outside the project: `slowCalls` tells of every call that took longer than it should.
 * It runs on the fake pool, so it needs no database; it would stand around a router or a real pool just the same.
 */
import { type Clock, compose, database, type Policy, policy, positiveMs, systemClock } from "@breakwater/core";
import { emptyResult, failing, fakePool } from "@breakwater/core/testing";
import { retry } from "@breakwater/policies";
import { setTimeout as delay } from "node:timers/promises";

interface SlowCallsOptions {
  /** A call that takes longer is told; milliseconds above 0. */
  readonly overMs: number;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

// The event is typed for whoever listens.
declare module "@breakwater/core" {
  interface EventMap {
    "slow-calls:noticed": { readonly pool: string; readonly label: string | undefined; readonly tookMs: number };
  }
}

function slowCalls(options: SlowCallsOptions): Policy {
  const { clock = systemClock } = options;
  const overMs = positiveMs("slowCalls.overMs", options.overMs);

  return policy("slow-calls", async (operation, next, inner) => {
    const started = clock.now();
    try {
      return await next(operation);
    } finally {
      const tookMs = clock.now() - started;
      if (tookMs > overMs) {
        inner.events.emit("slow-calls:noticed", { pool: inner.name, label: operation.label, tookMs });
      }
    }
  });
}

// Every call takes 5 ms, the third one 80 ms, and the fourth fails once: what is measured includes its retry.
const pool = fakePool(async (_operation, call) => {
  await delay(call === 3 ? 80 : 5);
  if (call === 4) throw failing();
  return emptyResult;
}, "orders");

await using db = database(compose(slowCalls({ overMs: 50 }), retry({ initialDelayMs: 1 }))(pool));
db.on("slow-calls:noticed", ({ label, tookMs }) => console.log(`${label} was slow: ${Math.round(tookMs)} ms`));

for (const label of ["cart", "prices", "invoice", "stock"]) {
  await db.query("SELECT 1", undefined, { label });
}
console.log(`${pool.calls.length} attempts for 4 calls`);
