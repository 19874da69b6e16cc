import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { simulate, type SimulationOptions } from "@breakwater/chaos/simulate";
import { database, OptionError, policy } from "@breakwater/core";
import { describe, expect, it } from "vitest";
import { recommended } from "./stacks.ts";

const stack = recommended();

describe("simulate", () => {
  it("finds nothing in the recommended stack, over 200 seeds of faults", { timeout: 300_000 }, async () => {
    for (let seed = 1_001; seed <= 1_200; seed += 1) {
      const { ok, text } = await simulate({ stack, seed, calls: 1_000 });
      expect(ok, text).toBe(true);
    }
  });

  it("gives the same trace for the same seed, byte for byte, in another process", { timeout: 240_000 }, async () => {
    const script = path.join(import.meta.dirname, "digest.ts");
    const run = promisify(execFile);
    const inProcess = async (): Promise<string> => (await run(process.execPath, [script, "42"])).stdout.trim();
    const [first, second] = await Promise.all([inProcess(), inProcess()]);
    const here = await simulate({ stack, seed: 42 });
    expect(here.trace.length).toBeGreaterThan(2_000);
    expect(first).toBe(here.digest);
    expect(second).toBe(here.digest);
    expect((await simulate({ stack, seed: 42 })).trace).toEqual(here.trace);
    expect((await simulate({ stack, seed: 43 })).digest).not.toBe(here.digest);
  });

  it(
    "runs at least a million calls in a minute of processor time, in bounded memory",
    { timeout: 120_000 },
    async () => {
      const calls = 60_000;
      const before = process.cpuUsage();
      const report = await simulate({
        stack,
        calls,
        workload: { ratePerSecond: 2_000 },
        maxTraceLines: 1_000,
      });
      const { user, system } = process.cpuUsage(before);
      expect(report.ok, report.text).toBe(true);
      expect(report.stats.calls).toBeGreaterThanOrEqual(calls);
      expect(report.trace.length).toBeLessThanOrEqual(1_000);
      // On two cores two such processes run side by side.
      expect((report.stats.calls / (user + system)) * 60e6 * 2).toBeGreaterThan(1_000_000);
    },
  );

  it("shows overload: queues grow when twice as much comes as the servers can do", async () => {
    const common = { seed: 7, faults: false, nodes: { replicas: 0, workers: 1, serviceMs: 5 } } as const;
    const mix = { get: 1 };
    const calm = await simulate({ stack, ...common, calls: 1_000, workload: { ratePerSecond: 60, mix }, check: [] });
    const surge = await simulate({ stack, ...common, calls: 4_000, workload: { ratePerSecond: 400, mix }, check: [] });
    const worst = (report: typeof calm): number => Math.max(...report.series.map(({ p99Ms = 0 }) => p99Ms));
    expect(worst(surge)).toBeGreaterThan(10 * worst(calm));
    expect(surge.series.reduce((sum, { offered }) => sum + offered, 0)).toBe(surge.stats.calls);
  });

  it("lets many processes share the servers, each with a stack of its own", async () => {
    const made: number[] = [];
    const report = await simulate({
      stack: (given) => {
        made.push(given.process);
        return stack(given);
      },
      seed: 3,
      calls: 5_000,
      processes: 50,
      poolMax: 2,
      nodes: { maxConnections: 200 },
      workload: { callers: 20, thinkMs: 500, sessions: 1 },
      faults: [{ kind: "crash", target: "n1", atMs: 1_000, durationMs: 800 }],
    });
    expect(report.ok, report.text).toBe(true);
    expect(made).toHaveLength(50);
    expect(report.series.some(({ connects }) => connects > 0)).toBe(true);
  });

  it("takes a workload of one's own", async () => {
    const answers: unknown[] = [];
    const call: NonNullable<NonNullable<SimulationOptions["workload"]>["call"]> = async ({
      database: db,
      index,
      timeoutMs,
    }) => {
      if (index === 0) await db.query("set k $1", ["v"], { timeoutMs });
      else answers.push((await db.query("get k", [], { timeoutMs })).rows[0]);
    };
    const own = ({ nodes, clock }: Parameters<typeof stack>[0]) => database(nodes.primary, { clock });
    const report = await simulate({ stack: own, calls: 20, faults: false, workload: { call, ratePerSecond: 20 } });
    expect(report.ok, report.text).toBe(true);
    expect(answers.filter((row) => (row as { value: unknown }).value === "v").length).toBeGreaterThan(15);
  });

  it("tells of a call that is never answered, and of timers that are left", async () => {
    const never = policy("never", (operation, next) =>
      operation.access === "write" ? new Promise<never>(() => undefined) : next(operation),
    );
    const report = await simulate({
      stack: (given) => {
        given.clock.setTimer(1e9, () => undefined);
        return never(stack(given));
      },
      calls: 50,
      faults: false,
    });
    expect(new Set(report.violations.map(({ kind }) => kind))).toEqual(
      new Set(["not-recovered", "unsettled", "timer-leak"]),
    );
  });

  it("gives up a run in which no time passes", async () => {
    const storm = policy("storm", async (operation, next) => {
      for (;;) {
        try {
          return await next(operation);
        } catch {
          continue;
        }
      }
    });
    const report = await simulate({
      stack: ({ nodes }) =>
        storm(policy("refuses", (operation, next) => next({ ...operation, deadline: 1 }))(nodes.primary)),
      calls: 100,
      faults: false,
    });
    expect(report.violations.map(({ kind }) => kind)).toContain("livelock");
  });

  it.each<[Partial<Record<keyof SimulationOptions, unknown>>, string]>([
    [{ stack: 1 }, "simulate.stack"],
    [{ seed: 0.5 }, "simulate.seed"],
    [{ calls: 0 }, "simulate.calls"],
    [{ call: 1 } as never, "simulate.call"],
    [{ nodes: { replicas: 99 } }, "simulate.nodes.replicas"],
    [{ nodes: { latency: 1 } }, "simulate.nodes.latency"],
    [{ workload: { mix: { read: 1 } } }, "simulate.workload.mix.read"],
    [{ workload: { ratePerSecond: 0 } }, "simulate.workload.ratePerSecond"],
    [{ faults: { kinds: ["flood"] } }, "simulate.faults.kinds"],
    [{ faults: [{ kind: "crash", atMs: 1, durationMs: 1, target: "n9" }] }, "simulate.faults[0].target"],
    [{ faults: [{ kind: "slow", atMs: 1, durationMs: 1, target: "n1" }] }, "simulate.faults[0].factor"],
    [{ check: ["everything"] }, "simulate.check"],
    [{ stack: () => 1 }, "stack"],
  ])("refuses %j", async (wrong, option) => {
    const options = { stack, calls: 1, ...wrong } as SimulationOptions;
    const error: unknown = await simulate(options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OptionError);
    expect((error as OptionError).option).toBe(option);
  });
});
