/**
 * Looks an error up in the failure table and says what it means where it happened.
 */
import type { Failure, Situation } from "@breakwater/core";
import { failureJudge, says, type Word } from "@breakwater/core/failures";
import { factsOf, type PostgresFacts } from "./facts.ts";
import type { FailureRow, Match } from "./row.ts";
import { FAILURE_TABLE } from "./table.ts";

/**
 * What an error of PostgreSQL, of its driver or of the socket means in a situation. Never throws, and always returns a
 * full failure: what is not in the table, and may have reached the server, has an unknown outcome.
 */
export const judge: (error: unknown, situation: Situation) => Failure = failureJudge<PostgresFacts, FailureRow>({
  rows: FAILURE_TABLE,
  factsOf,
  fits,
  wordOf,
});

function fits({ sqlstate, severity, routines, texts }: Match, facts: PostgresFacts): boolean {
  if (sqlstate && !facts.sqlstate) return false;
  if (severity && severity !== facts.severity) return false;
  // The server's function, or else its text, is one that the row names.
  if (!routines && !texts) return true;
  return routines?.includes(facts.routine) === true || (texts !== undefined && says(texts, facts));
}

/** Only ERROR is an answer to the statement: a server that ends the connection has not said what became of it. */
function wordOf({ sqlstate, severity, code }: PostgresFacts): Word {
  return { isServers: sqlstate, answers: severity === "error", ends: severity === "fatal", code };
}
