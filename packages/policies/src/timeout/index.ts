/** Limits how long one call may take. */
export * from "./timeout.ts";
