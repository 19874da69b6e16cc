import { describe, expect, it } from "vitest";
import { anything, asynchronousFailover, backendCrash, crash, synchronousFailover } from "../support/faults.ts";
import { expectHarmless } from "../support/rounds.ts";

describe("writes under faults", () => {
  it.each([crash, backendCrash, synchronousFailover, asynchronousFailover, anything])(
    "survive $name",
    async (fault) => {
      const { acknowledged } = await expectHarmless(fault, { rounds: 1, seed: 1 });
      expect(acknowledged).toBeGreaterThan(0);
    },
  );

  it.each([crash, synchronousFailover])("are all known by the ledger after $name", async (fault) => {
    const options = { rounds: 1, seed: 2, plain: false, stack: { commitResolution: { ledger: true } } };
    const { unknown } = await expectHarmless(fault, options);
    expect(unknown).toBe(0);
  });
});
