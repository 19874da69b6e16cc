import { describe, expect, it } from "vitest";
import { scenario } from "../scenario/scenario.ts";
import { barePool } from "./bare.ts";
import type { RunRecord } from "./record.ts";
import { runScenario, type StepProgress } from "./run.ts";
import type { Subject, SubjectTarget } from "./subject.ts";

const alone = { cluster: { replicas: 0 }, workload: { callers: 2 } } as const;

function kinds({ violations }: RunRecord): string[] {
  return [...new Set(violations.map(({ kind }) => kind))];
}

/** The bare pool with something changed. */
function changed(
  change: (bare: Subject, target: SubjectTarget) => Partial<Subject>,
): (target: SubjectTarget) => Subject {
  return (target) => {
    const bare = barePool(target);
    return { ...bare, ...change(bare, target) };
  };
}

describe("runScenario", () => {
  it("does the steps in their order and writes down what happened", async () => {
    const told: StepProgress[] = [];
    const seen: string[] = [];
    const made = scenario({
      name: "steps",
      cluster: { replicas: 1 },
      workload: { callers: 2 },
      service: { nodes: ["n1"] },
      steps: [
        { until: { acknowledged: 10 } },
        { latency: { ms: [1, 5], on: "all", as: "slow", for: "200ms" } },
        { repeat: { times: 2, steps: [{ wait: [1, 9] }] } },
        async ({ cluster, faults, nodes, names, random }) => {
          seen.push(cluster.primary.name, ...nodes("replicas").map(({ name }) => name), typeof random());
          await using _ = faults.wire(cluster.primary).latency({ ms: 1 });
          names(["n2", "n1"]);
        },
        { sql: { text: "SELECT 1", on: "replica" } },
        { switchover: {} },
        { until: "primary-answers" },
        { until: { sql: "SELECT pg_is_in_recovery()", on: "old-primary" } },
        { until: "replicas-caught-up" },
        { until: "calls-settled" },
        { until: { breaker: "closed" } },
        { until: { failed: 1_000, within: 20, optional: true } },
        { end: "slow" },
      ],
    });
    const run = await runScenario(made, { subject: barePool, seed: 5, onStep: (step) => told.push(step) });
    expect(run.problem).toBeNull();
    expect(run.steps.map(({ status }) => status)).toEqual(run.steps.map(() => "done"));
    expect(run.steps.map(({ path }) => path).slice(2, 5)).toEqual([
      "steps[2].repeat#1.steps[0]",
      "steps[2].repeat#2.steps[0]",
      "steps[3]",
    ]);
    expect(told.filter(({ status }) => status === "running")).toHaveLength(run.steps.length);
    expect(seen).toEqual(["n1", "n2", "number"]);
    expect(run.faults.map(({ name, target }) => `${name} ${target}`)).toEqual([
      "latency n1",
      "latency n2",
      "latency n1",
      "switchover n1",
    ]);
    expect(run.faults.every(({ fromMs, toMs }) => fromMs <= toMs && toMs <= run.durationMs)).toBe(true);
    expect(run.nodes.map(({ name, spans }) => `${name} ${spans.at(-1)?.state}`)).toEqual(["n1 replica", "n2 primary"]);
    for (const { spans } of run.nodes) {
      for (const [at, one] of spans.entries()) if (at > 0) expect(one.fromMs).toBe(spans[at - 1]?.toMs);
    }
    const { ok, failed, unknown, pending, calls } = run.totals;
    expect(ok + failed + unknown + pending).toBe(calls);
    expect(run.samples.reduce((sum, one) => sum + one.ok, 0)).toBe(ok);
    expect(JSON.parse(JSON.stringify(run))).toEqual(run);
  });

  it("draws the same steps for the same seed", async () => {
    const made = scenario({
      name: "dice",
      cluster: { replicas: 0 },
      workload: { callers: 1 },
      steps: [{ wait: [0, 90] }, { latency: { ms: 1, for: [1, 90] } }, { wait: [0, 90] }],
    });
    const texts = async (seed: number): Promise<string> => {
      const { steps } = await runScenario(made, { subject: barePool, seed });
      return steps.map(({ text }) => text).join("; ");
    };
    const [first, again, other] = [await texts(1), await texts(1), await texts(2)];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  it("says that the subject stalled when it does not come to a condition, and skips the rest", async () => {
    const made = scenario({
      name: "stalls",
      ...alone,
      steps: [{ freeze: "primary" }, { until: { acknowledged: 1_000, within: 300 } }, { wait: 1 }],
    });
    const run = await runScenario(made, { subject: barePool });
    expect(run.verdict).toBe("violated");
    expect(run.violations[0]).toMatchObject({ kind: "stalled" });
    expect(run.violations[0]?.message).toContain("steps[1] (until acknowledged: 1000, within: 300)");
    expect(run.steps.map(({ status }) => status)).toEqual(["done", "unmet", "skipped"]);
  });

  it("says that the run is broken, not the subject, when a step cannot be done", async () => {
    const made = scenario({ name: "breaks", ...alone, steps: [{ sql: { text: "SELECT nonsense" } }, { wait: 1 }] });
    const run = await runScenario(made, { subject: barePool });
    expect(run).toMatchObject({ verdict: "broken", violations: [], connectionsLeft: null });
    expect(run.problem).toContain('steps[0] (sql text: SELECT nonsense): column "nonsense" does not exist');
  });

  it("finds what a subject breaks and leaves behind", async () => {
    const made = scenario({
      name: "wrong",
      ...alone,
      workload: { callers: 4, mix: { insert: 3, get: 1, set: 1 } },
      steps: [{ until: { written: 30 } }],
      expect: { failed: 0, unknown: 0, acknowledged: 100_000, latency: { write: { max: 0 } }, settle: 500 },
    });
    let calls = 0;
    const subject = changed((bare, target) => ({
      name: "liar",
      async insert(id, session) {
        const call = ++calls;
        if (call % 7 === 0) return; // lost
        await bare.insert?.(id, session);
        if (call % 7 === 1) await bare.insert?.(id, session); // doubled
        if (call % 7 === 2) throw new Error("it failed"); // wrong
        if (call % 7 === 3) throw Object.assign(new Error("perhaps"), { maybe: true });
        if (call === 18) await new Promise(() => {}); // never answered
      },
      isUnknown: (error) => (error as { readonly maybe?: boolean }).maybe === true,
      async close() {
        await bare.close();
        const { Client } = await import("pg");
        const left = new Client(target.primary);
        left.on("error", () => {});
        await left.connect();
      },
    }));
    const run = await runScenario(made, { subject, seed: 3 });
    expect(run.subject).toBe("liar");
    expect(kinds(run)).toEqual(
      expect.arrayContaining([
        "failed-calls",
        "unknown-calls",
        "few-calls",
        "slow-calls",
        "connections-left",
        "lost-write",
        "doubled-write",
        "wrong-verdict",
        "unsettled",
      ]),
    );
    expect(run.connectionsLeft).toBe(1);
    expect(run.errors).toContainEqual({ code: "it failed", count: expect.any(Number), example: "it failed" });
    expect(run.totals.pending).toBe(1);
  });

  it("accepts what it is told to accept", async () => {
    const made = scenario({
      name: "allows",
      ...alone,
      steps: [{ until: { written: 5 } }],
      expect: { allow: ["lost-write"] },
    });
    const subject = changed(() => ({ insert: async () => {} }));
    const run = await runScenario(made, { subject });
    expect([run.verdict, run.violations]).toEqual(["passed", []]);
  });

  it("is given up when its signal says so, and leaves nothing running", async () => {
    const stop = new AbortController();
    const made = scenario({ name: "long", ...alone, steps: [{ wait: "60s" }] });
    const running = runScenario(made, {
      subject: barePool,
      signal: stop.signal,
      onStep: () => stop.abort(new Error("enough")),
    });
    await expect(running).rejects.toThrow("enough");
  });

  it("refuses what it cannot use", async () => {
    const made = scenario({ name: "x", ...alone, steps: [{ wait: 1 }] });
    await expect(runScenario(made, { subject: 1 as never })).rejects.toThrow("subject must be a function");
    await expect(runScenario(made, { subject: barePool, seed: -1 })).rejects.toThrow("seed must be an integer from 0");
    await expect(runScenario(made, { subject: barePool, sed: 1 } as never)).rejects.toThrow("unknown option sed");
    const nothing = (): Subject => ({ name: "nothing", close: async () => {} });
    await expect(runScenario(made, { subject: nothing })).rejects.toThrow("can do none of the calls of the load");
  });
});
