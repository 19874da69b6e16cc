/** What an error of PostgreSQL means: the table, its words, and the judge that reads it. */
export { judge } from "./judge.ts";
export type { FailureRow, Match, Severity } from "./row.ts";
export { FAILURE_TABLE } from "./table.ts";
