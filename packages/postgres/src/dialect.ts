/**
 * Everything that is particular to PostgreSQL, for every adapter that speaks to it.
 */
import type { Dialect, QueryResult } from "@breakwater/core";

import { classify } from "./classify/index.ts";
import { commits, commitsInParts } from "./commits.ts";
import { judge } from "./failure/index.ts";
import { commitPosition } from "./commit-position.ts";
import { functions } from "./functions.ts";
import { probe } from "./node.ts";
import { notifications } from "./notifications.ts";
import { resolution } from "./outcome.ts";
import { notReplicated } from "./replication.ts";
import { transactionTexts } from "./texts.ts";

/** What PostgreSQL's statements, errors and transactions mean. */
export const postgres: Dialect = Object.freeze({
  name: "postgresql",
  transaction: Object.freeze(transactionTexts),
  resolution,
  commitPosition,
  notifications,
  functions,
  classify,
  commits,
  commitsInParts,
  judge,
  committed,
  notReplicated,
  probe,
});

/** Tags that a statement is answered with that ends a transaction. */
const ENDS = new Set(["COMMIT", "ROLLBACK", "PREPARE", "PREPARE TRANSACTION", "COMMIT PREPARED", "ROLLBACK PREPARED"]);

/**
 * Whether the answer says that the transaction was kept: COMMIT of a failed transaction is answered with the tag
 * ROLLBACK. A text of several statements is answered with an array, in which the last end of a transaction counts.
 */
function committed(result: QueryResult): boolean {
  const results: readonly QueryResult[] = Array.isArray(result) ? (result as readonly QueryResult[]) : [result];
  return results.findLast(({ command }) => ENDS.has(command))?.command.startsWith("ROLLBACK") !== true;
}
