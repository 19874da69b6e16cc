/**
 * Makes a failing script shorter: fewer faults, fewer calls, shorter and rounder times; as long as the same kind of violation
 * is still found. Removing is delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
 * IEEE Transactions on Software Engineering 28, 2002).
 */
import type { Fault } from "./faults.ts";
import type { SimulationReport, SimulationScript } from "./simulate.ts";

/** Violations of a run that are looked at for what may be left of it. */
const MAX_GUESSES = 8;

/** Runs a script; gives its report when it fails in the way that is looked for, else undefined. */
export type Attempt = (script: SimulationScript) => Promise<SimulationReport | undefined>;

/** The shortest script that was found to fail, with its report; `until` says when it is enough. */
export async function shrink(
  first: SimulationReport,
  attempt: Attempt,
  until: () => boolean,
): Promise<SimulationReport> {
  let best = first;
  const better = async (change: Partial<SimulationScript>): Promise<boolean> => {
    if (until()) return false;
    const found = await attempt({ ...best.script, ...change });
    if (found === undefined) return false;
    best = found;
    return true;
  };
  for (let before = ""; before !== JSON.stringify(best.script) && !until();) {
    before = JSON.stringify(best.script);
    await fewerFaults(() => best.script.faults, better);
    if (best.script.only === undefined) {
      await named(best, better);
      if (best.script.only === undefined) await fewerCalls(() => best.script.calls, better);
    }
    await chosenCalls(() => best.script, better);
    await simplerFaults(() => best.script.faults, better);
  }
  return best;
}

type Better = (change: Partial<SimulationScript>) => Promise<boolean>;

async function fewerFaults(faults: () => readonly Fault[], better: Better): Promise<void> {
  if (faults().length > 0 && !(await better({ faults: [] }))) await fewer(faults, (left) => better({ faults: left }));
}

/** A guess: the calls that the violation itself names are often enough. Their numbers stand in what they wrote. */
async function named({ violations }: SimulationReport, better: Better): Promise<void> {
  for (const { message } of violations.slice(0, MAX_GUESSES)) {
    const numbers = [...message.matchAll(/"w\d+\.(\d+)"/g)].map(([, number]) => Number(number));
    const only = [...new Set(numbers)].toSorted((a, b) => a - b);
    if (only.length > 0 && (await better({ only, calls: (only.at(-1) ?? 0) + 1 }))) return;
  }
}

/** Leaves out calls, wherever they are. */
async function chosenCalls(script: () => SimulationScript, better: Better): Promise<void> {
  const calls = (): readonly number[] => script().only ?? Array.from({ length: script().calls }, (_, index) => index);
  await fewer(calls, (only) => better({ only, calls: (only.at(-1) ?? 0) + 1 }));
}

/** Leaves out one part after another, smaller and smaller ones, down to single things. */
async function fewer<T>(things: () => readonly T[], fits: (left: readonly T[]) => Promise<boolean>): Promise<void> {
  for (let size = Math.ceil(things().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < things().length;) {
      const left = things().filter((_, index) => index < at || index >= at + size);
      if (left.length === 0 || !(await fits(left))) at += size;
    }
  }
}

async function fewerCalls(calls: () => number, better: Better): Promise<void> {
  // What fails with fewer calls mostly fails with some more as well, so halving finds the way; not always, so it goes on.
  for (let least = 0; calls() - least > 1;) {
    const middle = Math.floor((least + calls()) / 2);
    if (middle < 1 || !(await better({ calls: middle }))) least = Math.max(1, middle);
  }
}

async function simplerFaults(faults: () => readonly Fault[], better: Better): Promise<void> {
  for (let at = 0; at < faults().length; at += 1) {
    for (const [field, values] of simplifications(faults()[at] as Fault)) {
      for (const value of values) {
        const changed = { ...faults()[at], [field]: value } as Fault;
        const same = JSON.stringify(changed) === JSON.stringify(faults()[at]);
        // From the simplest on: what comes after one that will do is worse.
        if (same || (await better({ faults: faults().with(at, changed) }))) break;
      }
    }
  }
}

/** Simpler values of each field, from the simplest. */
function simplifications(fault: Fault): readonly (readonly [string, readonly unknown[]])[] {
  const { atMs, durationMs } = fault;
  const rounded = (ms: number, unit: number): number => Math.round(ms / unit) * unit;
  return [
    ["atMs", [0, rounded(atMs, 1_000), rounded(atMs, 100)]],
    ["durationMs", [100, 1_000, Math.max(100, rounded(durationMs, 1_000)), Math.max(100, rounded(durationMs, 100))]],
    ...("rate" in fault ? [["rate", [1]] as const] : []),
    ...("factor" in fault ? [["factor", [10, 100]] as const] : []),
    ...("direction" in fault ? [["direction", ["both"]] as const] : []),
    ...("to" in fault ? [["to", ["any"]] as const] : []),
    ...(fault.target === "all" ? [["target", ["primary"]] as const] : []),
  ];
}
