/**
 * Reads what an error of MySQL, MariaDB or the driver says of itself.
 */
import { commonFacts, type Facts, peek, textIn } from "@breakwater/core/failures";

/** What an error says of itself, as far as it could be read. */
export interface MysqlFacts extends Facts {
  /** The server's error number; undefined for an error that is not the server's. */
  readonly number: number | undefined;
  readonly sqlstate: string;
  /** The driver says that the connection is lost with it. */
  readonly fatal: boolean;
}

/** Five characters as the standard has them. */
const SQLSTATE = /^[0-9A-Z]{5}$/;

/**
 * What `error` says of itself. Never throws. A system error has an `errno` too, below zero; the server's come with an
 * SQLSTATE, except while it still greets.
 */
export function factsOf(error: unknown): MysqlFacts {
  const errno = peek(error, "errno");
  const sqlstate = textIn(error, "sqlState");
  const server = typeof errno === "number" && Number.isInteger(errno) && errno >= 1_000;
  return {
    ...commonFacts(error),
    number: server ? errno : undefined,
    sqlstate: SQLSTATE.test(sqlstate) ? sqlstate : "",
    fatal: peek(error, "fatal") === true,
  };
}
