/**
 * `chaosTest`: a test with a cluster, faults, a history and a seed of its own.
 *
 * The cluster is started when a test names it, and closed when that test has ended, however it ended; the faults end before it. Each has its own servers,
 * ports and folder, so that tests and files that run at the same time do not disturb each other.
 */
import { test, type TestAPI } from "vitest";
import { integerIn } from "../check.ts";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { Faults } from "../faults/faults.ts";
import { History, type HistoryOptions } from "../history/history.ts";

/** What a chaos test is given, as far as it names it. */
export interface ChaosFixtures {
  /** How the cluster is made: `chaosTest.extend({ clusterOptions: { replicas: 1 } })`. @default one primary, two replicas */
  clusterOptions: ClusterOptions;
  /** Started when a test names it, for this test alone; closed when it has ended. */
  cluster: Cluster;
  /** Faults of that cluster on all levels; those that are on end with the test. */
  faults: Faults;
  /** What the history begins with. @default an empty database */
  historyOptions: HistoryOptions;
  /** Empty at the beginning of each test, and of this test alone. It is for the test to have it checked. */
  history: History;
  /** BREAKWATER_SEED of the environment, else a random number; printed when a test that names it fails. 0 to 4,294,967,295. */
  seed: number;
}

const MAX_SEED = 0xffff_ffff;

/** Vitest's `test` with a cluster, faults, a history and a seed. Takes all that `test` takes: options, `skip`, `each`, `extend`. */
export const chaosTest: TestAPI<ChaosFixtures> = test.extend<ChaosFixtures>({
  // oxlint-disable no-empty-pattern -- Vitest reads from the pattern what a fixture needs
  clusterOptions: async ({}, use) => use({}),
  cluster: async ({ clusterOptions }, use) => {
    await using cluster = await startCluster(clusterOptions);
    await use(cluster);
  },
  faults: async ({ cluster }, use) => {
    await using faults = new Faults({ cluster });
    await use(faults);
  },
  historyOptions: async ({}, use) => use({}),
  history: async ({ historyOptions }, use) => use(new History(historyOptions)),
  seed: async ({ onTestFailed, task }, use) => {
    const seed = seedOf(process.env["BREAKWATER_SEED"]);
    onTestFailed(() => {
      process.stderr.write(`${task.name}: BREAKWATER_SEED=${seed} gives the same dice\n`);
    });
    await use(seed);
  },
});

function seedOf(given: string | undefined): number {
  if (given === undefined || given === "") return Math.floor(Math.random() * (MAX_SEED + 1));
  return integerIn("BREAKWATER_SEED", Number(given), 0, MAX_SEED);
}
