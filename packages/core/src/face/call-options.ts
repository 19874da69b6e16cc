/**
 * What a caller may say of one call, and the check of it.
 */
import { type Access, type Consistency, type Priority, type TransactionOptions } from "../contract/operation.ts";
import { OptionError } from "../contract/errors.ts";
import { flag, knownOptions, oneOf, positiveMs, text } from "../contract/options.ts";

/** What a caller may say of one call. */
export interface CallOptions {
  /** Read or write. @default what the statement's text says; for transactions and connections, write */
  readonly access?: Access;
  /** Running the call twice does no more than running it once: it may be repeated when its outcome is unknown. @default false */
  readonly idempotent?: boolean;
  /**
   * Sends an autocommit write as a transaction that can be resolved when its answer is lost. Needs `commitResolution` in
   * the stack, as the preset has it. @default what the stack says
   */
  readonly exactlyOnce?: boolean;
  /**
   * The caller's own name for this piece of work, for the ledger of `commitResolution`: a call under a name that has been
   * committed before returns the first outcome and does nothing.
   */
  readonly idempotencyKey?: string;
  /** Longest that the call may take, all attempts together, in milliseconds. @default what the stack says */
  readonly timeoutMs?: number;
  /** Ends the call. Its rejection is the signal's reason; a write that had been sent ends in `OutcomeUnknownError`. */
  readonly signal?: AbortSignal;
  /** @default "normal" */
  readonly priority?: Priority;
  /** How fresh a read must be. @default "session" */
  readonly consistency?: Consistency;
  /** Names the kind of call in events and metrics. */
  readonly label?: string;
  /**
   * On whose behalf the call is made: a user, a customer, a shard's key. What follows from it is said by the rules of
   * `destinations` and `router`, and by the `fairBy` of `bulkhead`.
   */
  readonly tenant?: string;
  /** Which of several databases the call goes to, by name. Needs `destinations` in the stack. @default what its rules say */
  readonly destination?: string;
}

const CALL_OPTIONS = [
  "access",
  "idempotent",
  "exactlyOnce",
  "idempotencyKey",
  "timeoutMs",
  "signal",
  "priority",
  "consistency",
  "label",
  "tenant",
  "destination",
] as const;
const TRANSACTION_OPTIONS = [...CALL_OPTIONS, "isolation", "readOnly", "deferrable"] as const;
const ISOLATIONS = ["read uncommitted", "read committed", "repeatable read", "serializable"] as const;

/** Checks what a caller said of a call. @throws OptionError when it is unknown or out of range. */
export function checkCall(options: CallOptions): CallOptions {
  const given = knownOptions("call", options, CALL_OPTIONS);
  if (given.access !== undefined) oneOf("call.access", given.access, ["read", "write"]);
  if (given.idempotent !== undefined) flag("call.idempotent", given.idempotent);
  if (given.exactlyOnce !== undefined) flag("call.exactlyOnce", given.exactlyOnce);
  if (given.idempotencyKey !== undefined) text("call.idempotencyKey", given.idempotencyKey);
  if (given.timeoutMs !== undefined) positiveMs("call.timeoutMs", given.timeoutMs);
  if (given.priority !== undefined) oneOf("call.priority", given.priority, ["critical", "normal", "sheddable"]);
  if (given.consistency !== undefined) oneOf("call.consistency", given.consistency, ["eventual", "session", "strong"]);
  if (given.label !== undefined) text("call.label", given.label);
  if (given.tenant !== undefined) text("call.tenant", given.tenant);
  if (given.destination !== undefined) text("call.destination", given.destination);
  if (given.signal !== undefined && !(given.signal instanceof AbortSignal)) {
    throw new TypeError("option call.signal must be an AbortSignal");
  }
  return given;
}

/** Checks what is to hold for all calls of a face. @throws OptionError when it is unknown, out of range, or true of one call only. */
export function checkUsual(options: CallOptions): CallOptions {
  const given = checkCall(options);
  // The second call under a key would do nothing, and answer what the first did.
  if (given.idempotencyKey !== undefined)
    throw new OptionError("with.idempotencyKey", given.idempotencyKey, "said at the one call whose work it names");
  return overlaid({}, given);
}

/** Usual options with those that a call has of its own; one that is undefined says nothing, as if it were left out. */
export function overlaid(usual: CallOptions, own: CallOptions): CallOptions {
  if (typeof own !== "object" || own === null) return checkCall(own);
  return { ...usual, ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)) };
}

/**
 * Takes apart what a caller said of a transaction: how it begins, and the call itself, which is not checked yet.
 * @throws OptionError when an option is unknown or out of range.
 */
export function checkTransaction(options: CallOptions & TransactionOptions): {
  readonly begins: TransactionOptions;
  readonly call: CallOptions;
} {
  const { isolation, readOnly, deferrable, ...call } = knownOptions("transaction", options, TRANSACTION_OPTIONS);
  if (isolation !== undefined) oneOf("transaction.isolation", isolation, ISOLATIONS);
  if (readOnly !== undefined) flag("transaction.readOnly", readOnly);
  if (deferrable !== undefined) flag("transaction.deferrable", deferrable);
  const begins = {
    ...(isolation === undefined ? {} : { isolation }),
    ...(readOnly === undefined ? {} : { readOnly }),
    ...(deferrable === undefined ? {} : { deferrable }),
  };
  return { begins, call };
}

/** Options of a session. */
export interface SessionOptions {
  /** What another process's session has seen, as its `token` told; undefined for a session that begins anew. */
  readonly token?: string | undefined;
}
