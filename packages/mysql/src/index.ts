/** What the statements, errors and transactions of MySQL and MariaDB mean. */
export { commandOf } from "./classify/index.ts";
export * from "./dialect.ts";
export * from "./failure/index.ts";
export { forgetSession } from "./resolution.ts";
