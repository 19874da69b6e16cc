/**
 * Shows a policy that was written outside the project: `slowCalls` tells of every call that took longer than it should.
 * It runs on PGlite, so it needs no server; it would stand around a router or another pool just the same.
 */
import assert from "node:assert/strict";
import { type Clock, compose, database, type Policy, policy, positiveMs, systemClock } from "@breakwater/core";
import { fromPglite } from "@breakwater/pglite";
import { chaos, retry } from "@breakwater/policies";

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

// The third call is held up for 80 ms, and the fourth fails once: what is measured includes its retry.
const faults = chaos();
faults.inject({ fault: "latency", latencyMs: 80, label: "invoice" });
const failure = faults.inject({ fault: "error", sqlstate: "40001", label: "stock", times: 1 });

const stack = compose(slowCalls({ overMs: 50 }), retry({ initialDelayMs: 1 }), faults);
await using db = database(stack(fromPglite()));
// The first call also starts the database.
await db.ready();
const slow = new Set<string | undefined>();
db.on("slow-calls:noticed", ({ label, tookMs }) => {
  slow.add(label);
  console.log(`${label} was slow: ${Math.round(tookMs)} ms`);
});

for (const label of ["cart", "prices", "invoice", "stock"]) {
  await db.query("SELECT 1", undefined, { label });
}
assert(slow.has("invoice"));
assert.equal(failure.hits, 1);
console.log(`${failure.hits} failure, and nobody heard of it`);
