import { compose, type Pool } from "@breakwater/core";
import { replay, search, type SimulatedProcess, type SimulationViolationKind } from "@breakwater/chaos/simulate";
import { timeout } from "@breakwater/policies";
import { describe, expect, it } from "vitest";
import {
  ejectsEverything,
  ignoresRollback,
  losesPermits,
  neverHalfOpens,
  readsStale,
  retriesAmbiguousWrites,
  swallowsFailures,
} from "./broken.ts";
import { recommended } from "./stacks.ts";

const ejecting = ({ nodes, clock }: SimulatedProcess): Pool =>
  compose(timeout({ limitMs: 5_000, clock }), ejectsEverything(nodes.replicas))(nodes.primary);

/** What it is called and does, what shows it, and the seed to begin with where the first ones take long. */
const PLANTED: readonly [string, (given: SimulatedProcess) => Pool, readonly SimulationViolationKind[], number?][] = [
  [
    "an ambiguous write that is sent again",
    recommended({ middle: retriesAmbiguousWrites, bare: true }),
    ["doubled-write"],
  ],
  ["a breaker that never half-opens", recommended({ node: neverHalfOpens }), ["not-recovered", "left-out"], 80],
  ["a router that ejects everything", ejecting, ["not-recovered", "left-out"]],
  ["a rollback that is taken for a commit", recommended({ outermost: ignoresRollback }), ["lost-write"]],
  [
    "reads that miss their session's writes",
    recommended({ middle: readsStale }),
    ["read-your-writes", "monotonic-reads"],
  ],
  [
    "a permit that is not given back when time runs out",
    recommended({ outermost: losesPermits }),
    ["permit-leak", "not-recovered"],
    40,
  ],
  ["a failure that nobody is told of", recommended({ outermost: swallowsFailures }), ["unsettled", "not-recovered"]],
];

/** Longest search for one bug; together with the shrinking it ends within a minute. */
const LIMITS = { limitMs: 60_000, shrinkMs: 45_000 };

/** Most faults and calls together that are left. */
const SHORT = 10;

describe("a planted bug", () => {
  it.each(PLANTED)("is found and made short: %s", { timeout: 150_000 }, async (_, stack, kinds, seed = 1) => {
    const options = { stack, seed };
    const { shrunk, text, first } = await search({ ...options, ...LIMITS });
    expect(first?.ok, text).toBe(false);
    if (shrunk === undefined) throw new Error("nothing was shrunk");
    const [found] = shrunk.violations;
    expect(kinds, text).toContain(found?.kind);
    const steps = shrunk.script.faults.length + (shrunk.script.only?.length ?? shrunk.script.calls);
    expect(steps, text).toBeLessThanOrEqual(SHORT);
    expect(shrunk.script.faults.length, text).toBeLessThanOrEqual(SHORT);
    expect(shrunk.script.calls).toBeLessThanOrEqual(first?.script.calls ?? 0);
    // What is printed is enough to see it again.
    expect(text).toContain(JSON.stringify(shrunk.script));
    const again = await replay(options, JSON.parse(JSON.stringify(shrunk.script)));
    expect(again.digest).toBe(shrunk.digest);
    expect(again.violations).toEqual(shrunk.violations);
  });
});
