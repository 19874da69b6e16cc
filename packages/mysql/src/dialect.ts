/**
 * Everything that is particular to MySQL and MariaDB, for every adapter that speaks to them.
 */
import type { Dialect, QueryResult, SqlStyle } from "@breakwater/core";
import { classify, commits, commitsInParts } from "./classify/index.ts";
import { judge } from "./failure/index.ts";
import { ledger } from "./ledger.ts";
import { probe, reach } from "./node.ts";
import { resolution } from "./resolution.ts";
import { quote, transactionTexts } from "./texts.ts";

/** What the statements, errors and transactions of MySQL and MariaDB mean. */
export const mysql: Dialect = Object.freeze({
  name: "mysql",
  transaction: Object.freeze(transactionTexts),
  resolution,
  ledger,
  classify,
  commits,
  commitsInParts,
  judge,
  committed,
  probe,
  reach,
});

/** How statements made by the tag `sql` are written for MySQL and MariaDB. */
export const mysqlStyle: SqlStyle = Object.freeze({ placeholder: () => "?", quote });

/**
 * Whether the answer says that the transaction was kept. The server itself never answers COMMIT otherwise: where it had
 * rolled the transaction back before, the adapter sends ROLLBACK instead and says so.
 */
function committed(result: QueryResult): boolean {
  const results: readonly QueryResult[] = Array.isArray(result) ? (result as readonly QueryResult[]) : [result];
  return results.at(-1)?.command !== "ROLLBACK";
}
