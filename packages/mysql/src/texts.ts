/**
 * The texts that begin and end transactions of MySQL and MariaDB.
 */
import { type Isolation, OptionError, type TransactionOptions, type TransactionTexts } from "@breakwater/core";

const LEVELS: ReadonlyMap<Isolation, string> = new Map([
  ["read uncommitted", "READ UNCOMMITTED"],
  ["read committed", "READ COMMITTED"],
  ["repeatable read", "REPEATABLE READ"],
  ["serializable", "SERIALIZABLE"],
]);

/**
 * The texts that begin and end transactions; names of savepoints are quoted. The level is set for the next transaction
 * by a statement of its own. There is nothing to defer: a serializable read waits for locks, and is not cancelled.
 */
export const transactionTexts: TransactionTexts = {
  before({ isolation }: TransactionOptions): string | undefined {
    if (isolation === undefined) return undefined;
    const level = LEVELS.get(isolation);
    if (level === undefined) throw new OptionError("isolation", isolation, `one of ${[...LEVELS.keys()].join(", ")}`);
    return `SET TRANSACTION ISOLATION LEVEL ${level}`;
  },
  begin({ readOnly }: TransactionOptions): string {
    if (readOnly === undefined) return "START TRANSACTION";
    return readOnly ? "START TRANSACTION READ ONLY" : "START TRANSACTION READ WRITE";
  },
  commit: "COMMIT",
  rollback: "ROLLBACK",
  savepoint: (name) => `SAVEPOINT ${quote(name)}`,
  releaseSavepoint: (name) => `RELEASE SAVEPOINT ${quote(name)}`,
  rollbackToSavepoint: (name) => `ROLLBACK TO SAVEPOINT ${quote(name)}`,
};

/** A name as an identifier. */
export function quote(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
