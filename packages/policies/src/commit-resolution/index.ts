/** Finds out what became of writes whose answer was lost. */
export { commitResolution, type CommitResolutionOptions } from "./commit-resolution.ts";
export type { CommitResolved } from "./events.ts";
export { LEDGER_TABLE, ledgerSweepSql, ledgerTableSql } from "./ledger.ts";
