/**
 * What every adapter must do, whatever its driver and its database: tests for any runner.
 *
 *     for (const { name, skipped, run } of adapterConformance(subject)) test(name, { skip: skipped }, run);
 */
import { ENDINGS } from "./endings.ts";
import { LIVES, POOLS } from "./pools.ts";
import { STATEMENTS } from "./statements.ts";
import type { AdapterUnderTest, ConformanceTest } from "./subject.ts";
import { TRANSACTIONS } from "./transactions.ts";
import { type Case, Trial } from "./trial.ts";

const CASES: readonly Case[] = [...STATEMENTS, ...TRANSACTIONS, ...ENDINGS, ...LIVES, ...POOLS];

/**
 * The tests of an adapter, to be run one after another. Each makes pools of its own and empties the table `conformance`
 * (`id`, `note`) first, which it creates where there is none. A test rejects with what is wrong.
 */
export function adapterConformance(subject: AdapterUnderTest): readonly ConformanceTest[] {
  return CASES.map((one) => ({
    name: one.name,
    skipped: one.needs?.map((ability) => subject.cannot?.[ability]).find((reason) => reason !== undefined),
    run: async () => {
      const server = await subject.server();
      await server.query("CREATE TABLE IF NOT EXISTS conformance (id int PRIMARY KEY, note text)");
      await server.query("DELETE FROM conformance");
      const trial = new Trial(subject, server);
      try {
        await one.run(trial);
      } catch (error) {
        // What is wrong first is what the test is about.
        await trial.end().catch(() => undefined);
        throw error;
      }
      await trial.end();
    },
  }));
}
