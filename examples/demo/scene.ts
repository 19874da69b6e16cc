/**
 * One moment of the run, as whoever shows it needs it.
 */
import type { Cluster } from "@breakwater/chaos";
import type { Protected } from "./protected.ts";
import type { Record } from "./record.ts";
import type { Side } from "./schema.ts";
import type { Phase } from "./script.ts";

/** Something that was done to the cluster, or that the right side's router noticed. */
export interface Happening {
  readonly atMs: number;
  readonly text: string;
}

export class Scene {
  readonly seed: number;
  readonly phases: readonly Phase[];
  readonly cluster: Cluster;
  readonly right: Protected;
  readonly records: Readonly<{ [side in Side]: Record }>;
  readonly happenings: Happening[] = [];
  /** Which phase runs; -1 before the first. */
  phaseIndex = -1;
  /** When it began, in milliseconds of the run. */
  phaseStartedMs = 0;
  readonly now: () => number;

  constructor(given: Pick<Scene, "seed" | "phases" | "cluster" | "right" | "records" | "now">) {
    this.seed = given.seed;
    this.phases = given.phases;
    this.cluster = given.cluster;
    this.right = given.right;
    this.records = given.records;
    this.now = given.now;
  }

  get phase(): Phase | undefined {
    return this.phases[this.phaseIndex];
  }

  /** How long all phases last at least. */
  get lengthMs(): number {
    return sum(this.phases);
  }

  /** How much of that is behind us: a phase that takes longer than planned holds it. */
  get doneMs(): number {
    const current = Math.min(this.now() - this.phaseStartedMs, this.phase?.lengthMs ?? 0);
    return sum(this.phases.slice(0, Math.max(0, this.phaseIndex))) + current;
  }
}

function sum(phases: readonly Phase[]): number {
  return phases.reduce((total, { lengthMs }) => total + lengthMs, 0);
}
