/**
 * Errors as a driver throws them, for the dialect to judge like any other.
 */
import { type Phase, TimeoutError } from "@breakwater/core";
import { type ErrorFault, phaseOf } from "./options.ts";

/** SQLSTATEs with which a server ends the session (PostgreSQL sources: postgres.c, postmaster.c). */
const FATAL: ReadonlySet<string> = new Set(["57P01", "57P02", "57P03", "57P04", "57P05", "53300", "28000", "28P01"]);

/** What the driver is to have thrown. */
export function driverError(options: ErrorFault): unknown {
  const { sqlstate, message = "injected fault", make } = options;
  if (make !== undefined) return make();
  if (sqlstate === undefined) return socketError(phaseOf(options), message);
  const severity = FATAL.has(sqlstate) ? "FATAL" : "ERROR";
  return Object.assign(new Error(message), { name: "error", code: sqlstate, severity });
}

/** The connection broke, or could not be made. */
export function socketError(phase: Phase, message: string): Error {
  const syscall = phase === "connect" || phase === "acquire" ? "connect" : "read";
  const code = syscall === "connect" ? "ECONNREFUSED" : "ECONNRESET";
  return Object.assign(new Error(`${syscall} ${code} (${message})`), { code, syscall });
}

/** What an adapter says when all connections stay taken. */
export function refusedAcquire(pool: string): TimeoutError {
  const reason = "no connection became free in time (injected fault)";
  return new TimeoutError(pool, reason, {
    phase: "acquire",
    effect: "none",
    retry: "same-node",
    blames: "load",
    connection: "keep",
    reason,
  });
}

/** The injected latency outlasted the call. */
export function tooLate(pool: string): TimeoutError {
  const reason = "the deadline passed before the call was sent";
  return new TimeoutError(pool, reason, {
    phase: "unsent",
    effect: "none",
    retry: "other-node",
    blames: "load",
    connection: "keep",
    reason,
  });
}
