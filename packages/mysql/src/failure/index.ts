/** What errors mean. */
export { judge } from "./judge.ts";
export type { FailureRow, Match } from "./row.ts";
export { FAILURE_TABLE } from "./table.ts";
