/** Runs every scenario on one server version and prints the table: what the law says, what was observed, what is true. */
import { FAILURE_TABLE } from "@breakwater/postgres";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { connectingScenarios } from "./connecting.ts";
import { endingScenarios } from "./endings.ts";
import { interruptionScenarios } from "./interruptions.ts";
import { Lab } from "./lab.ts";
import { compare, type Observation, picture } from "./law.ts";
import { parallelScenarios } from "./parallel.ts";
import { languageScenarios } from "./languages.ts";
import { partScenarios } from "./parts.ts";
import { poolerScenarios } from "./pooler.ts";
import { probeScenarios } from "./probing.ts";
import type { Scenario } from "./scenario.ts";
import type { Binaries } from "./speaking.ts";
import { standbyScenarios } from "./standby.ts";
import { statementScenarios } from "./statements.ts";
import { tlsScenarios } from "./tls.ts";

const SCENARIOS: readonly Scenario[] = [
  ...statementScenarios,
  ...parallelScenarios,
  ...partScenarios,
  ...languageScenarios,
  ...standbyScenarios,
  ...connectingScenarios,
  ...tlsScenarios,
  ...endingScenarios,
  ...interruptionScenarios,
];

/** Rows that need what a machine or a server may not have; the scenarios that provoke them say so when they are skipped. */
function elsewhere(row: string): boolean {
  return row === "ENOTFOUND" || row === "EAI_AGAIN" || row === "57014" || row.startsWith("pgbouncer");
}

/**
 * Describes the failure table on the servers of a folder of binaries, or on those of the embedded package. `missing` says
 * what this machine lacks for it.
 */
export function describeFailureTable(name: string, binaries?: () => Binaries, missing?: string): void {
  const lacks = missing === undefined ? "" : `: ${missing}`;
  // A pooler says the same in front of any server.
  const scenarios = binaries === undefined ? [...SCENARIOS, ...poolerScenarios] : SCENARIOS;
  describe.skipIf(missing !== undefined)(`failure table on ${name}${lacks}`, () => {
    let lab: Lab;
    let made: Binaries | undefined;
    const lines: string[] = [];
    const provoked = new Set<string>();

    beforeAll(async () => {
      made = binaries?.();
      lab = await Lab.start(made?.folder);
    });
    afterEach(() => lab.closeSessions());
    afterAll(async () => {
      await lab?.cluster.close();
      made?.remove();
      if (lab !== undefined) process.stdout.write(`\nPostgreSQL ${lab.version}\n${lines.join("\n")}\n`);
    });

    it.for(scenarios)("judges $name", async (scenario, { skip, task }) => {
      const reason = await scenario.skip?.(lab);
      if (reason !== undefined) {
        // The report of a run keeps what stands here, and loses the note of `skip`.
        Object.assign(task.meta, { skipped: reason });
        skip(reason);
      }
      const observations = await scenario.run(lab);
      expect(observations.length).toBeGreaterThan(0);
      for (const observation of observations) {
        provoked.add(observation.row);
        lines.push(await check(observation));
      }
    });

    it.each(probeScenarios)("probes $name", async (scenario) => {
      await expect(scenario.run(lab)).resolves.toBeUndefined();
    });

    it("has provoked every row that is called measured", () => {
      const claimed = FAILURE_TABLE.filter(({ evidence }) => evidence === "measured").map(({ name: row }) => row);
      expect(claimed.filter((row) => !provoked.has(row) && !elsewhere(row))).toEqual([]);
    });
  });
}

/** Compares law, judge and truth; gives the line of the printed table. */
async function check(observation: Observation): Promise<string> {
  const { row, column, law, error, kept, session } = observation;
  const { expected, observed, failure } = compare(observation);
  const where = `${row} × ${column}, ${picture(error)}`;
  expect.soft(observed, where).toBe(expected);
  // The one mistake that loses or doubles data: saying that nothing was kept where something was.
  if (kept === true) expect.soft(failure.effect, `${where}: the row is there`).toBe("unknown");
  if (session !== undefined && failure.connection === "keep") {
    await session.client.query("rollback");
    const { rows } = await session.client.query<{ one: number }>("select 1 as one");
    expect.soft(rows, `${where}: the connection is kept`).toEqual([{ one: 1 }]);
  }
  const truth = kept === undefined ? "" : kept ? "row there" : "row absent";
  const agreed = expected === observed ? "ok" : `NOT ${expected}`;
  return [
    row.padEnd(26),
    column,
    law.padEnd(14),
    truth.padEnd(10),
    `${failure.effect} ${failure.retry} ${failure.connection}`.padEnd(32),
    agreed,
    "|",
    picture(error),
  ].join(" ");
}
