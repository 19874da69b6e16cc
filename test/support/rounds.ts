/**
 * Rounds of one kind of fault under load; after each of them nothing may be lost, doubled or told wrongly.
 */
import { type Cluster, type ClusterOptions, startCluster } from "@breakwater/chaos";
import { type Random, seededRandom } from "@breakwater/core";
import { ledgerTableSql } from "@breakwater/policies";
import type { BreakwaterOptions } from "breakwater";
import { expect } from "vitest";
import { noConnectionLeft, resolutions, stackOn } from "./database.ts";
import { History, NOTHING_AMISS } from "./history.ts";
import { Workload, workloadSql } from "./workload.ts";

/** What is done to a cluster in the middle of a round. */
export interface Fault {
  readonly name: string;
  readonly cluster: ClusterOptions;
  /** Resolves when the cluster can serve again. */
  strike(cluster: Cluster, random: Random): Promise<void>;
  /** Explains acknowledged writes that are gone; none may be. @default no loss is explained */
  explain?(cluster: Cluster, lost: readonly string[]): Promise<readonly string[]>;
  /** Makes the cluster whole again. */
  mend?(cluster: Cluster): Promise<void>;
}

export interface RoundsOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly stack?: BreakwaterOptions;
  /** Writes acknowledged before and after the fault, in each round. @default 60 */
  readonly calls?: number;
  /** Whether autocommit writes that do not say exactlyOnce are among the load. @default true */
  readonly plain?: boolean;
}

/** What was counted over all rounds. */
export interface Figures {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly failed: number;
  /** Acknowledged writes whose loss was explained. */
  readonly explained: number;
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Share of the COMMITs whose answer is lost. */
const LOST_SHARE = 0.05;

/** Runs the rounds. @throws what was found amiss, with the seed that leads there. */
export async function expectHarmless(fault: Fault, options: RoundsOptions): Promise<Figures> {
  const { rounds, seed, calls = 60, plain = true } = options;
  const random = seededRandom(seed);
  const history = new History();
  const outcomes: Record<string, number> = {};
  const explained: string[] = [];
  await using cluster = await startCluster(fault.cluster);
  await cluster.primary.query(`${workloadSql}; ${ledgerTableSql()}`);
  const db = stackOn(cluster, options.stack);
  const told = resolutions(db);
  // All the time, so that the fault meets resolutions under way.
  for (const { proxy } of cluster.nodes) proxy.dropReply({ to: /^commit/i, probability: LOST_SHARE, random });
  for (let round = 1; round <= rounds; round++) {
    const load = new Workload(db, history, { seed: seed * 100 + round, plain });
    await history.acknowledged(calls);
    await fault.strike(cluster, random);
    await history.acknowledged(calls);
    await load.stop();
    let truth = await history.truth(cluster.primary);
    const excused = (await fault.explain?.(cluster, truth.lost)) ?? [];
    explained.push(...excused);
    history.forget(excused);
    truth = { ...truth, lost: truth.lost.filter((id) => !excused.includes(id)) };
    expect(truth, `round ${round}, seed ${seed}, ${JSON.stringify(history.errors)}`).toStrictEqual(NOTHING_AMISS);
    await fault.mend?.(cluster);
  }
  await db.close();
  await noConnectionLeft(cluster);
  for (const { outcome, by } of told) outcomes[`${outcome} by ${by}`] = (outcomes[`${outcome} by ${by}`] ?? 0) + 1;
  return {
    acknowledged: history.count("ok"),
    unknown: history.count("unknown"),
    failed: history.count("failed"),
    explained: explained.length,
    outcomes,
  };
}
