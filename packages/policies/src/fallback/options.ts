/**
 * What may be said to `fallback`, and the check of it.
 */
import {
  type Blame,
  type Failure,
  failureOf,
  flag,
  knownOptions,
  oneOf,
  type Operation,
  OptionError,
  RejectedError,
} from "@breakwater/core";

/** Names failures; a failure is meant when any of the names fits. */
export interface NamedFailures {
  /** The error's `code`: of Breakwater, such as `ERR_BREAKWATER_TIMEOUT`, of the database, such as `53300`, or of Node.js. */
  readonly codes?: readonly string[];
  /** What the failure blames. */
  readonly blames?: readonly Exclude<Blame, "caller">[];
  /** Whatever was refused without having been sent: by a breaker, a bulkhead, a router without nodes. @default false */
  readonly rejected?: boolean;
}

/** A failed call, for the function that answers it. */
export interface FailedCall {
  /** What it was rejected with. */
  readonly error: unknown;
  /** What that means. */
  readonly failure: Failure;
  /** The call. */
  readonly operation: Operation<unknown>;
}

/** Says whether a failure is meant. */
export type FailureTest = (call: FailedCall) => boolean;

/** Where the last good answers are kept. What it throws fails no call. */
export interface StaleStore {
  /** Names the answer of a call; undefined for a call whose answer is not kept. */
  readonly key: (operation: Operation<unknown>) => string | undefined;
  /** The kept answer, or undefined. */
  readonly get: (key: string) => unknown;
  /** Keeps an answer. How many, and for how long, is the store's affair. */
  readonly set: (key: string, value: unknown) => void;
}

/**
 * Which writes may be answered too. `none`; `not-kept`: those of which the database has kept nothing; `any`: also those
 * of which that is not known, whose caller then never hears that they may have been carried out.
 */
export type FallbackWrites = "none" | "not-kept" | "any";

/** Which failures are answered, and with what. */
export interface FallbackOptions {
  /** Which failures are answered. */
  readonly for: NamedFailures | FailureTest;
  /** What they are answered with; a function is called with the failed call and may return a promise. */
  readonly value?: unknown;
  /** Keeps good answers and gives the last one where a call fails; asked before `value`. */
  readonly stale?: StaleStore;
  /** @default "none" */
  readonly writes?: FallbackWrites;
}

/** Options with every default filled in. */
export interface CheckedFallbackOptions {
  readonly meant: FailureTest;
  readonly answer: ((call: FailedCall) => unknown) | undefined;
  readonly stale: StaleStore | undefined;
  readonly writes: FallbackWrites;
}

/** @throws OptionError when an option is missing, unknown or out of range. */
export function checkFallbackOptions(options: FallbackOptions): CheckedFallbackOptions {
  const {
    for: named,
    value,
    stale,
    writes = "none",
  } = knownOptions("fallback", options, ["for", "value", "stale", "writes"]);
  if (!("value" in options) && stale === undefined) {
    throw new OptionError("fallback", undefined, "", "must have a value or stale: what else would it answer with");
  }
  if (stale !== undefined) {
    knownOptions("fallback.stale", stale, ["key", "get", "set"]);
    for (const name of ["key", "get", "set"] as const) {
      if (typeof stale[name] !== "function") throw new OptionError(`fallback.stale.${name}`, stale[name], "a function");
    }
  }
  oneOf("fallback.writes", writes, ["none", "not-kept", "any"]);
  const call = typeof value === "function" ? (value as (call: FailedCall) => unknown) : () => value;
  return { meant: checkNamed(named), answer: "value" in options ? call : undefined, stale, writes };
}

function checkNamed(named: NamedFailures | FailureTest): FailureTest {
  if (typeof named === "function") return named;
  const {
    codes = [],
    blames = [],
    rejected = false,
  } = knownOptions("fallback.for", named, ["codes", "blames", "rejected"]);
  if (!Array.isArray(codes)) throw new OptionError("fallback.for.codes", codes, "an array of codes");
  for (const code of codes) if (typeof code !== "string") throw new OptionError("fallback.for.codes", code, "a text");
  if (!Array.isArray(blames)) throw new OptionError("fallback.for.blames", blames, "an array of blames");
  for (const blame of blames) oneOf("fallback.for.blames", blame, ["node", "load", "contention", "statement"]);
  if (codes.length === 0 && blames.length === 0 && !flag("fallback.for.rejected", rejected)) {
    throw new OptionError("fallback.for", named, "", "must name a failure: codes, blames or rejected");
  }
  const wanted: ReadonlySet<unknown> = new Set<unknown>(codes);
  const blamed: ReadonlySet<Blame> = new Set<Blame>(blames);
  return ({ error, failure }) =>
    (rejected && error instanceof RejectedError && failureOf(error).blames !== "caller") ||
    blamed.has(failure.blames) ||
    (typeof error === "object" && error !== null && wanted.has((error as { code?: unknown }).code));
}
