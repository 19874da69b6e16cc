import { compose, type Policy } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { retry, timeout } from "@breakwater/policies";
import { describe, expect, it } from "vitest";

const CLIENTS = 100;
const LASTS_MS = 30_000;

/** What reaches a node that refuses everything, in 30 seconds of virtual time, for each call that clients made. */
async function sentPerCall(policies: (clock: ManualClock) => Policy): Promise<number> {
  const clock = new ManualClock();
  const node = fakePool(() => {
    throw failing({ phase: "connect" });
  });
  const pool = policies(clock)(node);
  let offered = 0;
  const client = async (): Promise<void> => {
    while (clock.now() < LASTS_MS) {
      offered += 1;
      await pool.execute(fakeCall()).catch(() => undefined);
      await new Promise<void>((resolve) => clock.setTimer(500, resolve));
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, client));
  await clock.advance(2 * LASTS_MS);
  await clients;
  expect(clock.pending).toBe(0);
  return node.calls.length / offered;
}

describe("a retry storm", () => {
  it("does not happen: 100 clients of a node that refuses for 30 s send at most 1.2 calls for each one they make", async () => {
    const options = { maxRetries: 3, initialDelayMs: 10, maxDelayMs: 50 };
    expect(
      await sentPerCall((clock) => compose(timeout({ limitMs: 10_000, clock }), retry({ ...options, clock }))),
    ).toBeLessThanOrEqual(1.2);
    // For contrast: three retries of every call.
    expect(await sentPerCall((clock) => retry({ ...options, clock, budget: false }))).toBe(4);
  });
});
