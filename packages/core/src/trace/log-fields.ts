/**
 * What of an event may stand in a log: numbers and short texts by name, errors by name, code and meaning. Never a message
 * of a driver, which may quote a parameter, never SQL, parameters or passwords. Pure.
 */
import { BreakwaterError } from "../contract/errors.ts";
import { told } from "./trace.ts";

/** Names under which something stands that is nobody's business. */
const HIDDEN =
  /^(?:values?|params?|parameters|args|text|sql|query|statement|password|passwd|pwd|token|secret|url|dsn)$|connectionString/i;
const MAX_TEXT = 2_000;
const MAX_ENTRIES = 50;
const MAX_DEPTH = 3;

/** An event as fields of a log entry. With `messages`, errors bring their messages, whatever stands in them. */
export function logFields(event: object, messages: boolean): Record<string, unknown> {
  return objectOf(event, messages, 0);
}

function objectOf(given: object, messages: boolean, depth: number): Record<string, unknown> {
  const entries = Object.entries(given).slice(0, MAX_ENTRIES);
  return Object.fromEntries(
    entries.flatMap(([name, value]) => {
      const shown = HIDDEN.test(name) ? undefined : name === "notice" ? noticeOf(value) : plain(value, messages, depth);
      return shown === undefined ? [] : [[name, shown] as const];
    }),
  );
}

function plain(value: unknown, messages: boolean, depth: number): unknown {
  if (typeof value === "string") return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object") return undefined;
  if (value instanceof Error) return errorOf(value, messages);
  if (depth >= MAX_DEPTH) return undefined;
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((each) => plain(each, messages, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  // What a driver has made may hold anything.
  return prototype === Object.prototype || prototype === null ? objectOf(value, messages, depth + 1) : undefined;
}

function errorOf(error: Error, messages: boolean): Record<string, unknown> {
  const { name, code, failure } = told(error);
  // Messages of our own name pools and limits, and nothing else.
  const message = messages || error instanceof BreakwaterError ? error.message : undefined;
  const { cause } = error;
  return {
    name,
    ...(code !== undefined && { code }),
    ...(message !== undefined && { message }),
    ...(failure !== undefined && { reason: failure.reason, phase: failure.phase, effect: failure.effect }),
    ...(cause instanceof Error && { cause: errorOf(cause, messages && cause.cause !== error) }),
  };
}

/** A notice is a text of the server's own making; what it says may quote data. */
function noticeOf(notice: unknown): Record<string, unknown> {
  const { severity, code } = (typeof notice === "object" && notice !== null ? notice : {}) as Record<string, unknown>;
  return {
    severity: typeof severity === "string" ? severity : undefined,
    code: typeof code === "string" ? code : undefined,
  };
}
