/**
 * The texts that begin and end PostgreSQL transactions.
 */
import {
  type Isolation,
  OptionError,
  type Statement,
  type TransactionOptions,
  type TransactionTexts,
} from "@breakwater/core";

const LEVELS: ReadonlyMap<Isolation, string> = new Map([
  ["read uncommitted", " ISOLATION LEVEL READ UNCOMMITTED"],
  ["read committed", " ISOLATION LEVEL READ COMMITTED"],
  ["repeatable read", " ISOLATION LEVEL REPEATABLE READ"],
  ["serializable", " ISOLATION LEVEL SERIALIZABLE"],
]);

/** The texts that begin and end transactions; names of savepoints are quoted. */
export const transactionTexts: TransactionTexts = {
  begin({ isolation, readOnly, deferrable }: TransactionOptions): string {
    return `BEGIN${levelOf(isolation)}${modeOf(readOnly)}${deferrable === true ? " DEFERRABLE" : ""}`;
  },
  // Not SET LOCAL: that would also lift a stricter limit of the role, the database or the connection.
  limit: (ms) => limitText(`'${limitOf(ms)}'`),
  limitStatement: (ms) => ({ text: LIMIT, values: [limitOf(ms)] }),
  commit: "COMMIT",
  rollback: "ROLLBACK",
  savepoint: (name) => `SAVEPOINT ${quote(name)}`,
  releaseSavepoint: (name) => `RELEASE SAVEPOINT ${quote(name)}`,
  rollbackToSavepoint: (name) => `ROLLBACK TO SAVEPOINT ${quote(name)}`,
};

function limitText(ms: string): string {
  return `SELECT set_config('statement_timeout', ${ms}, true) WHERE current_setting('statement_timeout') = '0'`;
}

const LIMIT = limitText("$1");

/** Puts the limit into a SELECT without FROM, as one more column. */
export function withLimit(select: string, ms: number): Statement {
  return {
    text: `${select}, CASE current_setting('statement_timeout') WHEN '0' THEN set_config('statement_timeout', $1, true) END AS limited`,
    values: [limitOf(ms)],
  };
}

function limitOf(ms: number): string {
  return String(Math.min(Math.ceil(ms), 2_147_483_647));
}

function levelOf(isolation: Isolation | undefined): string {
  if (isolation === undefined) return "";
  const text = LEVELS.get(isolation);
  if (text === undefined) throw new OptionError("isolation", isolation, `one of ${[...LEVELS.keys()].join(", ")}`);
  return text;
}

/** What is left out is the server's default, which may be read only. */
function modeOf(readOnly: boolean | undefined): string {
  if (readOnly === undefined) return "";
  return readOnly ? " READ ONLY" : " READ WRITE";
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
