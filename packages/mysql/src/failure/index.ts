/** What errors mean. */
export { judge } from "./judge.ts";
export type { Advice, Column, FailureRow, Match, Verdict, Verdicts } from "./row.ts";
export { FAILURE_TABLE } from "./table.ts";
