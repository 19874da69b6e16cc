/** Answers named failures with a value, a function, or the last good answer. */
export * from "./events.ts";
export { fallback } from "./fallback.ts";
export type {
  FailedCall as FallbackCall,
  FailureTest,
  FallbackOptions,
  FallbackWrites,
  NamedFailures,
  StaleStore,
} from "./options.ts";
