/**
 * The whole failure table, in the order in which it is read: the first row that fits speaks.
 */
import type { FailureRow } from "./row.ts";
import { DRIVER_ROWS } from "./rows-driver.ts";
import { LINK_ROWS } from "./rows-link.ts";
import { STATEMENT_ROWS } from "./rows-statement.ts";

/** Every row of the failure table. Read-only; for documents and tests as well as for `judge`. */
export const FAILURE_TABLE: readonly FailureRow[] = freeze([...LINK_ROWS, ...STATEMENT_ROWS, ...DRIVER_ROWS]);

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}
