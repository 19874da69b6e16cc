/** Looks for a seed that breaks a stack, and makes its script short. */
import { knownOptions, OptionError, positiveInteger, positiveMs } from "@breakwater/core";
import type { SimulationOptions } from "./options.ts";
import { shrink } from "./shrink.ts";
import { replay, simulate, type SimulationReport } from "./simulate.ts";

/** How long is searched, and what else a simulation takes. */
export interface SearchOptions extends SimulationOptions {
  /** How many seeds are tried, beginning with `seed`. @default as many as the time allows */
  readonly seeds?: number;
  /** Longest that the search may take in real time, shrinking aside, in milliseconds. @default 60000 */
  readonly limitMs?: number;
  /** Longest that shrinking may take in real time, in milliseconds. @default 30000 */
  readonly shrinkMs?: number;
}

/** What a search has found. */
export interface SearchReport {
  /** No seed that was tried broke the stack. */
  readonly ok: boolean;
  /** How many seeds were tried. */
  readonly seedsTried: number;
  /** Calls of all runs together, shrinking aside. */
  readonly calls: number;
  /** The first run that failed, as it was found. */
  readonly first: SimulationReport | undefined;
  /** The same failure by the shortest script that was found. */
  readonly shrunk: SimulationReport | undefined;
  /** All of it in some lines for people. */
  readonly text: string;
}

/**
 * Tries seed after seed, and shortens the script of the first that breaks the stack; if it stays long, those of further ones.
 * @throws OptionError when an option is unknown or out of range.
 */
export async function search(options: SearchOptions): Promise<SearchReport> {
  if (typeof options !== "object" || options === null) throw new OptionError("search", options, "an object of options");
  const { seeds = Number.MAX_SAFE_INTEGER, limitMs = 60_000, shrinkMs = 30_000, ...simulation } = options;
  knownOptions<object>("search", { seeds, limitMs, shrinkMs }, ["seeds", "limitMs", "shrinkMs"] as never[]);
  positiveInteger("search.seeds", seeds);
  positiveMs("search.limitMs", limitMs);
  positiveMs("search.shrinkMs", shrinkMs);
  const { seed: from = 1 } = simulation;
  const began = performance.now();
  let calls = 0;
  let tried = 0;
  while (tried < seeds && (tried === 0 || performance.now() - began < limitMs)) {
    const report = await simulate({ ...simulation, seed: from + tried });
    tried += 1;
    calls += report.stats.calls;
    if (report.ok) continue;
    const shrunk = await shortest(report, simulation, performance.now() + shrinkMs);
    const text = `found with seed ${report.seed}, number ${tried} of those tried; as short as it gets:\n${shrunk.text}`;
    return { ok: false, seedsTried: tried, calls, first: report, shrunk, text };
  }
  return {
    ok: true,
    seedsTried: tried,
    calls,
    first: undefined,
    shrunk: undefined,
    text: `nothing found in ${calls} calls`,
  };
}

/** Shortens what was found; while that leaves a long script and there is time, the same failure by other seeds, too. */
async function shortest(first: SimulationReport, options: SimulationOptions, ends: number): Promise<SimulationReport> {
  let best = await shorten(first, options, ends);
  for (let seed = first.seed + 1; steps(best) > ENOUGH && performance.now() < ends; seed += 1) {
    const report = await simulate({ ...options, seed });
    if (report.violations[0]?.kind !== best.violations[0]?.kind) continue;
    const other = await shorten(report, options, ends);
    if (steps(other) < steps(best)) best = other;
  }
  return best;
}

/** A script of so many faults and calls together can be read. */
const ENOUGH = 10;

function steps({ script: { faults, only, calls } }: SimulationReport): number {
  return faults.length + (only?.length ?? calls);
}

function shorten(report: SimulationReport, options: SimulationOptions, ends: number): Promise<SimulationReport> {
  const kind = report.violations[0]?.kind;
  return shrink(
    report,
    async (script) => {
      const again = await replay(options, script);
      return again.violations.some((violation) => violation.kind === kind) ? again : undefined;
    },
    () => performance.now() > ends,
  );
}
