import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compose, type Failure, failureOf, seededRandom } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { circuitBreaker, retry, timeout } from "@breakwater/policies";

const anyFailure: fc.Arbitrary<Partial<Failure>> = fc.record(
  {
    phase: fc.constantFrom("acquire", "connect", "unsent", "running", "committing"),
    effect: fc.constantFrom("none", "unknown"),
    retry: fc.constantFrom("never", "same-node", "other-node", "primary", "transaction"),
    blames: fc.constantFrom("node", "load", "contention", "statement", "caller"),
    connection: fc.constantFrom("keep", "destroy"),
    maxRetries: fc.nat(3),
    retryAfterMs: fc.nat(500),
    optIn: fc.constantFrom("lock", "timeout"),
  },
  { requiredKeys: ["effect"] },
);

/** Runs one call through a stack whose node fails in this row, and says what reached the node and how the call ended. */
async function run(failures: readonly Partial<Failure>[], idempotent: boolean, seed: number) {
  const clock = new ManualClock();
  const thrown: Error[] = [];
  const inner = fakePool((_, call) => {
    const failure = failures[call - 1];
    if (failure === undefined) return "ok";
    const error = failing(failure);
    thrown.push(error);
    throw error;
  });
  const stack = compose(
    timeout({ limitMs: 60_000, clock }),
    retry({
      clock,
      maxRetries: 10,
      random: seededRandom(seed),
      retryLockTimeouts: true,
      retryStatementTimeouts: true,
      budget: false,
    }),
    circuitBreaker({ clock }),
  );
  const ended = stack(inner)
    .execute(fakeCall({ access: "write", idempotent }))
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  await clock.advance(120_000);
  return { error: await ended, sent: inner.calls.length, thrown, pending: clock.pending };
}

describe("a write of unknown effect", () => {
  it("is never sent again unless the caller said idempotent", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyFailure, { maxLength: 8 }), fc.integer(), async (failures, seed) => {
        const { error, sent, thrown, pending } = await run(failures, false, seed);
        const unknown = thrown.findIndex((each) => failureOf(each).effect === "unknown");
        // The first failure of unknown effect is the last thing that happens, and it is what the caller is told.
        expect(unknown === -1 || (unknown === sent - 1 && error === thrown[unknown])).toBe(true);
        expect(pending).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it("is never passed off as one that did nothing, when no answer of the database says more", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyFailure, { maxLength: 8 }), fc.integer(), async (failures, seed) => {
        const { error, thrown } = await run(failures, true, seed);
        const unknown = thrown.some((each) => failureOf(each).effect === "unknown");
        const told = failureOf(error);
        const fine = error === undefined || told.effect === "unknown";
        expect(!unknown || fine || told.blames === "statement" || told.blames === "caller").toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
