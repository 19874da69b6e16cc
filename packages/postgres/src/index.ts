/** What PostgreSQL's statements, errors and transactions mean. */
export { commitsInParts } from "./commits.ts";
export * from "./dialect.ts";
export * from "./failure/index.ts";
export * from "./pooler/index.ts";
export * from "./position.ts";
export * from "./classify/index.ts";
