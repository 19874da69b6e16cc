/** Scenarios with texts that commit a part of their work: there an ERROR does not prove that nothing was kept. */
import { commitsInParts } from "@breakwater/postgres";

import { errorOf } from "./lab.ts";
import { type Observation, SITUATIONS } from "./law.ts";
import type { Scenario } from "./scenario.ts";

const parts: Scenario = {
  name: "texts that committed a part and then failed",
  async run(lab) {
    const raise = "raise exception 'too late' using errcode = '40P01'";
    const insert = (id: string): string => `insert into ledger values ('${id}')`;
    await lab.primary.query(`create or replace procedure pay(id text) language plpgsql as
      $$ begin insert into ledger values (id); commit; ${raise}; end $$`);
    const texts: readonly ((id: string) => string)[] = [
      (id) => `call pay('${id}')`,
      (id) => `do $$ begin ${insert(id)}; commit; ${raise}; end $$`,
      (id) => `begin; ${insert(id)}; commit; do $$ begin ${raise}; end $$`,
    ];
    const seen: Observation[] = [];
    for (const text of texts) {
      const session = await lab.open(lab.primary);
      const id = lab.key();
      const error = await errorOf(session.client.query(text(id)));
      const at = { ...SITUATIONS.W, inParts: commitsInParts(text(id)) };
      seen.push({ row: "40P01", column: "W", law: "part same", error, at, kept: await lab.kept(id), session });
    }
    return seen;
  },
};

/** Outside any transaction. */
export const partScenarios: readonly Scenario[] = [parts];
