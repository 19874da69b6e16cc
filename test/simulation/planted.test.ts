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

const PLANTED: readonly [string, (given: SimulatedProcess) => Pool, readonly SimulationViolationKind[]][] = [
  ["an ambiguous write that is sent again", recommended({ middle: retriesAmbiguousWrites, bare: true }), ["doubled-write"]],
  ["a breaker that never half-opens", recommended({ node: neverHalfOpens }), ["not-recovered", "left-out"]],
  ["a router that ejects everything", ejecting, ["not-recovered", "left-out"]],
  ["a rollback that is taken for a commit", recommended({ outermost: ignoresRollback }), ["lost-write"]],
  ["reads that miss their session's writes", recommended({ middle: readsStale }), ["read-your-writes", "monotonic-reads"]],
  ["a permit that is not given back when time runs out", recommended({ outermost: losesPermits }), ["permit-leak", "not-recovered"]],
  ["a failure that nobody is told of", recommended({ outermost: swallowsFailures }), ["unsettled", "not-recovered"]],
];

/** Longest search for one bug; together with the shrinking it ends within a minute. */
const LIMITS = { limitMs: 40_000, shrinkMs: 10_000 };

describe("a planted bug", () => {
  it.each(PLANTED)("is found and made short: %s", { timeout: 90_000 }, async (_, stack, kinds) => {
    const options = { stack, deadlineGraceMs: 1_100 };
    const { shrunk, text, first } = await search({ ...options, ...LIMITS });
    expect(first?.ok, text).toBe(false);
    if (shrunk === undefined) throw new Error("nothing was shrunk");
    const [found] = shrunk.violations;
    expect(kinds, text).toContain(found?.kind);
    expect(shrunk.script.faults.length, text).toBeLessThanOrEqual(10);
    expect(shrunk.script.calls).toBeLessThanOrEqual(first?.script.calls ?? 0);
    // What is printed is enough to see it again.
    expect(text).toContain(JSON.stringify(shrunk.script));
    const again = await replay(options, JSON.parse(JSON.stringify(shrunk.script)));
    expect(again.digest).toBe(shrunk.digest);
    expect(again.violations).toEqual(shrunk.violations);
  });
});
