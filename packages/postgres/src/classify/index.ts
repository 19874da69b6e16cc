export { classify, inspect } from "./classify.ts";
export type { Inspection, StatementClass } from "./findings.ts";
