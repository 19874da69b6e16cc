/**
 * Looks an error up in the failure table and says what it means where it happened.
 */
import type { Failure, Situation } from "@breakwater/core";
import { failureJudge, says, type Word } from "@breakwater/core/failures";
import { factsOf, type MysqlFacts } from "./facts.ts";
import type { FailureRow, Match } from "./row.ts";
import { FAILURE_TABLE } from "./table.ts";

/**
 * What an error of MySQL or MariaDB, of the driver or of the socket means in a situation. Never throws, and always returns
 * a full failure: what is not in the table, and may have reached the server, has an unknown outcome.
 */
export const judge: (error: unknown, situation: Situation) => Failure = failureJudge<MysqlFacts, FailureRow>({
  rows: FAILURE_TABLE,
  factsOf,
  fits,
  wordOf,
});

function fits({ numbers, server, sqlstates, texts }: Match, facts: MysqlFacts): boolean {
  if (numbers && (facts.number === undefined || !numbers.includes(facts.number))) return false;
  if (server && facts.number === undefined) return false;
  if (sqlstates && !sqlstates.includes(facts.sqlstate)) return false;
  return !texts || says(texts, facts);
}

/** An ERR packet that leaves the connection open is the answer to the statement. */
function wordOf({ number, code, fatal }: MysqlFacts, row: FailureRow | undefined): Word {
  const isServers = number !== undefined;
  const ends = row?.ends === true || fatal;
  return { isServers, answers: isServers && !ends, ends, code: isServers ? `${number}` : code };
}
