/** Makes up a script from a seed. */
import type { Random } from "@breakwater/core";
import { below, dice, oneAmong, weighted } from "./dice.ts";
import type { Fault, FaultKind } from "./faults.ts";

/** What a made-up script may hold. */
export interface FaultPlan {
  /** Most faults of one script. */
  readonly max: number;
  readonly kinds: readonly FaultKind[];
  /** They begin before this moment, in milliseconds. */
  readonly untilMs: number;
  readonly nodes: readonly string[];
}

/** How often each kind is taken, relative to the others. */
const WEIGHTS: Readonly<Record<FaultKind, number>> = {
  crash: 4,
  hang: 2,
  partition: 2,
  slow: 2,
  lag: 2,
  detach: 1,
  "lost-replies": 4,
  errors: 2,
  refuse: 1,
  promote: 1,
  surge: 1,
};

const CODES = ["40001", "57014", "53200"] as const;

/** The script of a seed, in the order of time. */
export function makeFaults(seed: number, { max, kinds, untilMs, nodes }: FaultPlan): readonly Fault[] {
  const random = dice(seed, "faults");
  if (max === 0 || kinds.length === 0) return [];
  const weights = kinds.map((kind) => [kind, WEIGHTS[kind]] as const);
  return Array.from({ length: 1 + below(random, max) }, () =>
    make(random, weighted(random, weights), untilMs, nodes),
  ).toSorted((a, b) => a.atMs - b.atMs);
}

function make(random: Random, kind: FaultKind, untilMs: number, nodes: readonly string[]): Fault {
  // Mostly the primary: that is where it hurts.
  const target = random() < 0.4 ? "primary" : random() < 0.15 ? "all" : oneAmong(random, nodes);
  const step = {
    atMs: Math.round(random() * untilMs),
    durationMs: Math.round(50 + random() ** 2 * 6_000),
    target,
  };
  switch (kind) {
    case "slow":
      return { ...step, kind, factor: Math.round(2 + random() ** 2 * 200) };
    case "surge":
      return { ...step, kind, factor: 2 + below(random, 4) };
    case "partition":
      return { ...step, kind, direction: oneAmong(random, ["both", "requests", "replies"] as const) };
    case "lost-replies": {
      const to = oneAmong(random, ["any", "write", "commit"] as const);
      const when = oneAmong(random, ["after", "after", "before"] as const);
      return { ...step, kind, rate: Math.round(10 + random() * 90) / 100, to, when };
    }
    case "errors":
      return { ...step, kind, rate: Math.round(10 + random() * 90) / 100, code: oneAmong(random, CODES) };
    default:
      return { ...step, kind };
  }
}
