/**
 * Runs the published conformance suite of policies in vitest.
 */
import type { Clock, Policy } from "@breakwater/core";
import { policyConformance as suite, type PolicyTraits } from "@breakwater/core/testing";
import { describe, expect, it } from "vitest";

/** Runs the suite for one policy. */
export function policyConformance(name: string, make: (clock: Clock) => Policy, traits: PolicyTraits = {}): void {
  describe(`policy ${name}`, () => {
    it.for(suite(make, traits))("$name", async ({ run }) => {
      await expect(run()).resolves.toBeUndefined();
    });
  });
}
