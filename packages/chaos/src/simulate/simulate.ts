/** Runs a stack on virtual time, in front of simulated servers that fail by a script. */
import { describeFault, type Fault } from "./faults.ts";
import { planOf, type SimulationOptions } from "./options.ts";
import { Run } from "./run.ts";
import type { SeriesPoint } from "./series.ts";
import type { SimulationViolation } from "./violation.ts";

/** Everything that is needed to see a run again, beside the stack and the options: plain data. */
export interface SimulationScript {
  /** The seed of the dice. */
  readonly seed: number;
  /** How many calls are made. */
  readonly calls: number;
  /** The faults, in order. */
  readonly faults: readonly Fault[];
  /** The calls that are made, by number, where shrinking has left some out. */
  readonly only?: readonly number[];
}

/** What became of a simulation. */
export interface SimulationReport {
  /** No violation was found. */
  readonly ok: boolean;
  /** The seed of the run. */
  readonly seed: number;
  /** Give it to `replay` to see the run again. */
  readonly script: SimulationScript;
  /** What was broken, at most 100 of it; `violationCount` counts all. */
  readonly violations: readonly SimulationViolation[];
  /** How many there are in all. */
  readonly violationCount: number;
  /** What happened, as `MICROSECONDS WHAT`; the last lines of a long run. The same for the same seed, byte for byte. */
  readonly trace: readonly string[];
  /** Lines that were too many for `trace`. */
  readonly traceDropped: number;
  /** SHA-256 of all lines of the trace. */
  readonly digest: string;
  /** How the run went over time. */
  readonly series: readonly SeriesPoint[];
  /** Numbers of the whole run. */
  readonly stats: SimulationStats;
  /** All of it in some lines for people, with the script and how to run it again. */
  readonly text: string;
}

/** Numbers of a whole run. */
export interface SimulationStats {
  /** Calls that were made. */
  readonly calls: number;
  /** Calls that were answered well. */
  readonly ok: number;
  /** Calls whose callers were told that they failed. */
  readonly failed: number;
  /** Calls whose callers were told that the outcome is unknown. */
  readonly unknown: number;
  /** Operations that began on a connection, probes aside. */
  readonly attempts: number;
  /** Those of `attempts` that were not the first of their call. */
  readonly retries: number;
  /** Attempts to connect. */
  readonly connects: number;
  /** How often a replica became the primary. */
  readonly promotions: number;
  /** Timers of virtual time that went off. */
  readonly events: number;
  /** Virtual time that passed, in milliseconds. */
  readonly virtualMs: number;
}

/**
 * Runs one simulation. The same options and the same seed give the same run, in every process, as long as the stack takes
 * its time and its dice from what it is given.
 * @throws OptionError when an option is unknown or out of range.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const plan = planOf(options);
  const run = new Run(plan);
  await run.execute();
  const { violations, violationCount, trace, series } = run;
  const { seed, calls, faults } = plan;
  const script: SimulationScript = { seed, calls, faults, ...(plan.only !== undefined && { only: [...plan.only] }) };
  const { offered, ok, failed, unknown, attempts, retries, connects } = series.totals;
  const stats: SimulationStats = {
    calls: offered,
    ok,
    failed,
    unknown,
    attempts,
    retries,
    connects,
    promotions: run.cluster.promotions,
    events: run.clock.events,
    virtualMs: run.clock.now(),
  };
  return {
    ok: violationCount === 0,
    seed,
    script,
    violations,
    violationCount,
    trace: trace.lines,
    traceDropped: trace.dropped,
    digest: trace.digest(),
    series: series.points(),
    stats,
    text: textOf({ script, stats, violations, violationCount, calls: run.load.chosen }),
  };
}

/**
 * Runs a script, or the script of a seed, again.
 * @throws OptionError when an option is unknown or out of range.
 */
export function replay(options: SimulationOptions, script: SimulationScript | number): Promise<SimulationReport> {
  if (typeof script === "number") return simulate({ ...options, seed: script });
  return simulate({ ...options, ...script });
}

const SHOWN = 10;

interface Told extends Pick<SimulationReport, "script" | "stats" | "violations" | "violationCount"> {
  /** The calls that were chosen, in a few words each. */
  readonly calls: readonly string[];
}

function textOf({ script, stats, violations, violationCount, calls }: Told): string {
  const { seed, faults, only } = script;
  const answers = `${stats.ok} ok, ${stats.failed} failed, ${stats.unknown} unknown`;
  const made = only === undefined ? `the first ${script.calls} calls` : `${only.length} calls`;
  const steps = [...faults.map(describeFault), ...calls.slice(0, SHOWN).map((call) => `call ${call}`)];
  const lines = [
    `seed ${seed}: ${stats.calls} calls in ${Math.round(stats.virtualMs)} virtual ms (${answers}), ${violationCount} violations`,
    ...violations.slice(0, SHOWN).map(({ kind, message, atMs }) => `  ${kind} at ${Math.round(atMs)} ms: ${message}`),
    ...(violations.length > SHOWN ? [`  and ${violationCount - SHOWN} more`] : []),
    `script: ${faults.length} faults, ${made}`,
    ...steps.map((step, index) => `  ${index + 1}. ${step}`),
    ...(calls.length > SHOWN ? [`  and ${calls.length - SHOWN} more calls`] : []),
  ];
  if (violationCount > 0) lines.push(`replay with: replay(options, ${JSON.stringify(script)})`);
  return lines.join("\n");
}
