import { describe, expect, it } from "vitest";
import { anything, asynchronousFailover, backendCrash, crash, synchronousFailover } from "../../support/faults.ts";
import { report } from "../../support/report.ts";
import { expectHarmless } from "../../support/rounds.ts";

const rounds = Number(process.env["BREAKWATER_ROUNDS"] ?? 20);
const seed = Number(process.env["BREAKWATER_SEED"] ?? Math.floor(Math.random() * 1_000_000));

describe(`writes under faults, ${rounds} rounds each, seed ${seed}`, () => {
  it.each([crash, backendCrash, synchronousFailover, asynchronousFailover, anything])(
    "survive $name",
    async (fault) => {
      const figures = await expectHarmless(fault, { rounds, seed });
      report(`${fault.name}: ${rounds} rounds, seed ${seed}`, figures);
      expect(figures.acknowledged).toBeGreaterThan(0);
    },
  );

  it.each([crash, backendCrash, synchronousFailover, anything])(
    "are all known by the ledger after $name",
    async (fault) => {
      const stack = { commitResolution: { ledger: true } };
      const figures = await expectHarmless(fault, { rounds, seed, plain: false, stack });
      report(`${fault.name}, with the ledger: ${rounds} rounds, seed ${seed}`, figures);
      expect(figures.unknown).toBe(0);
    },
  );
});
