/**
 * The whole failure table, in the order in which it is read: the first row that fits speaks.
 */
import { failureRows, SOCKET_ROWS } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";
import { DRIVER_ROWS } from "./rows-driver.ts";
import { FALLBACK_ROWS } from "./rows-fallback.ts";
import { LINK_ROWS } from "./rows-link.ts";
import { POOLER_ROWS } from "./rows-pooler.ts";
import { STANDBY_ROWS } from "./rows-standby.ts";
import { STATE_ROWS } from "./rows-state.ts";
import { STATEMENT_ROWS } from "./rows-statement.ts";

/** Every row of the failure table. Read-only; for documents and tests as well as for `judge`. */
export const FAILURE_TABLE: readonly FailureRow[] = failureRows<FailureRow>(
  ...POOLER_ROWS,
  ...LINK_ROWS,
  ...STANDBY_ROWS,
  ...STATEMENT_ROWS,
  ...STATE_ROWS,
  ...FALLBACK_ROWS,
  ...DRIVER_ROWS,
  ...SOCKET_ROWS,
);
