/** What an error of PostgreSQL means: the table, its words, and the judge that reads it. */
export { judge, type PostgresSituation } from "./judge.ts";
export { FAILURE_TABLE } from "./table.ts";
export type { Advice, Column, FailureRow, Match, Severity, Verdict, Verdicts } from "./row.ts";
