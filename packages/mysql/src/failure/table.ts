/**
 * The whole failure table, in the order in which it is read: the first row that fits speaks.
 */
import { failureRows, SOCKET_ROWS } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";
import { DRIVER_ROWS } from "./rows-driver.ts";
import { LINK_ROWS } from "./rows-link.ts";
import { STATEMENT_ROWS } from "./rows-statement.ts";

/** Every row of the failure table. Read-only; for documents and tests as well as for `judge`. */
export const FAILURE_TABLE: readonly FailureRow[] = failureRows<FailureRow>(
  ...LINK_ROWS,
  ...STATEMENT_ROWS,
  ...DRIVER_ROWS,
  ...SOCKET_ROWS,
);
