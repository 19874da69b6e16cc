/** Shows how running stacks stand: a page, JSON, and actions for those who have a token. */
export { statusHandler, type StatusHandler } from "./handler.ts";
export { type StatusOptions, type StatusSource } from "./options.ts";
export * from "./report.ts";
export { serveStatus, type ServeStatusOptions, type StatusServer } from "./serve.ts";
