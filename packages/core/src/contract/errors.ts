/**
 * The error family. Callers compare `code`; messages name the pool, the value and the limit, never SQL or parameters.
 */
import { type Effect, type Failure, noteFailure, type Phase } from "./failure.ts";

/** What every error of this project has. */
export abstract class BreakwaterError extends Error {
  /** What callers compare. It never changes, unlike the message. */
  abstract readonly code: `ERR_BREAKWATER_${string}`;
  /** Name of the pool that raised it. */
  readonly pool: string;

  constructor(message: string, pool: string, failure: Failure, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.pool = pool;
    noteFailure(this, failure);
  }

  /** Name of the class. */
  override get name(): string {
    return this.constructor.name;
  }
}

/** The call never reached the driver. */
export abstract class RejectedError extends BreakwaterError {}

function rejected(failure: Pick<Failure, "retry" | "blames" | "reason"> & Partial<Failure>): Failure {
  return { phase: "acquire", effect: "none", connection: "keep", ...failure };
}

/** A breaker is open: the node has failed and is given time. */
export class CircuitOpenError extends RejectedError {
  /** Says which error it is. */
  readonly code = "ERR_BREAKWATER_CIRCUIT_OPEN";
  /** When the breaker next lets a call try, in milliseconds from now; undefined while it is isolated by hand. */
  readonly retryAfterMs: number | undefined;

  constructor(pool: string, retryAfterMs: number | undefined) {
    const wait = retryAfterMs === undefined ? "isolated by hand" : `next trial in ${Math.ceil(retryAfterMs)} ms`;
    const failure = rejected({ retry: "other-node", blames: "node", reason: "circuit open" });
    super(
      `pool "${pool}": circuit open, ${wait}`,
      pool,
      retryAfterMs === undefined ? failure : { ...failure, retryAfterMs },
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** As many calls run and wait as are allowed to. */
export class BulkheadFullError extends RejectedError {
  readonly code = "ERR_BREAKWATER_BULKHEAD_FULL";

  constructor(pool: string, maxConcurrent: number, maxQueued: number) {
    super(
      `pool "${pool}": ${maxConcurrent} calls run and ${maxQueued} wait, which is the limit`,
      pool,
      rejected({ retry: "other-node", blames: "load", reason: "bulkhead full" }),
    );
  }
}

/** All connections of a pool are taken, and as many calls wait for one as are allowed to. */
export class PoolFullError extends RejectedError {
  readonly code = "ERR_BREAKWATER_POOL_FULL";

  constructor(pool: string, max: number, maxQueued: number) {
    super(
      `pool "${pool}": all ${max} connections are taken and ${maxQueued} calls wait, which is the limit`,
      pool,
      rejected({ retry: "other-node", blames: "load", reason: "pool full" }),
    );
  }
}

/** No node can serve the call now. */
export class NoHealthyNodeError extends RejectedError {
  readonly code = "ERR_BREAKWATER_NO_HEALTHY_NODE";

  constructor(pool: string, wanted: "primary" | "any node", detail: string, cause?: unknown) {
    super(
      `pool "${pool}": no healthy ${wanted === "primary" ? "primary" : "node"} (${detail})`,
      pool,
      rejected({ retry: "other-node", blames: "node", reason: "no healthy node" }),
      cause,
    );
  }
}

/** The pool has been closed, or is being closed. */
export class PoolClosedError extends RejectedError {
  readonly code = "ERR_BREAKWATER_POOL_CLOSED";

  constructor(pool: string) {
    super(`pool "${pool}" is closed`, pool, rejected({ retry: "never", blames: "caller", reason: "pool closed" }));
  }
}

/** The call itself makes no sense: a missing statement, a connection released twice, a finished transaction used again. */
export class UsageError extends RejectedError {
  readonly code = "ERR_BREAKWATER_USAGE";

  constructor(pool: string, message: string) {
    super(`pool "${pool}": ${message}`, pool, rejected({ retry: "never", blames: "caller", reason: "wrong use" }));
  }
}

/** A limit in time passed. Nothing of the call is kept by the database; what may be kept is an `OutcomeUnknownError`. */
export class TimeoutError extends BreakwaterError {
  readonly code = "ERR_BREAKWATER_TIMEOUT";
  /** How far the call had come. */
  readonly phase: Phase;

  constructor(pool: string, message: string, failure: Failure, cause?: unknown) {
    super(`pool "${pool}": ${message}`, pool, failure, cause);
    this.phase = failure.phase;
  }
}

/** The node stopped answering, or lost its role, while the call ran there. Nothing of the call is kept. */
export class NodeLostError extends BreakwaterError {
  readonly code = "ERR_BREAKWATER_NODE_LOST";

  constructor(pool: string, why: string, failure: Failure, cause?: unknown) {
    super(`pool "${pool}": ${why}`, pool, failure, cause);
  }
}

/** Who a transaction is at its database: enough to ask for its outcome later. */
export interface TransactionIdentity {
  /** The node that ran it. */
  readonly node: string;
  /** The transaction's number at the database. */
  readonly id: string;
  /** The server process that ran it. */
  readonly processId: number;
  /**
   * One uninterrupted life of one server: differs after a restart, a crash or a promotion, each of which may give the
   * same number to another transaction.
   */
  readonly incarnation: string;
}

/** What a transaction had come to when the answer to its COMMIT was lost. */
export interface Unanswered {
  /** What its outcome can be asked by. */
  readonly transaction: TransactionIdentity;
  /** What the caller's function had returned. */
  readonly value: unknown;
}

/**
 * The call may have been carried out, or not: the connection was lost, or time ran out, after it was sent and before it
 * was answered. It was not sent again. `cause` is the driver's own error.
 */
export class OutcomeUnknownError extends BreakwaterError {
  readonly code = "ERR_BREAKWATER_OUTCOME_UNKNOWN";
  /** Always `unknown`: the database may have kept something. */
  readonly effect: Effect = "unknown";
  /** Who the transaction is at the database; undefined for one that never learned it, and for a statement on its own. */
  readonly transaction: TransactionIdentity | undefined;
  #unanswered: Unanswered | undefined;

  constructor(pool: string, cause: unknown, failure: Failure, unanswered?: Unanswered) {
    super(
      `pool "${pool}": sent, but not answered (${failure.reason}); it may have been carried out or not`,
      pool,
      failure,
      cause,
    );
    this.transaction = unanswered?.transaction;
    this.#unanswered = unanswered;
  }

  /** What may yet be resolved: for policies, which must not show the value before the commit is proved. */
  static unanswered(error: OutcomeUnknownError): Unanswered | undefined {
    return error.#unanswered;
  }

  /**
   * Says that nobody resolves it any more. It left the call whose outcome it speaks of, and came out of the function of
   * another one: there, finding out that the first was committed would prove nothing.
   */
  static giveUp(error: OutcomeUnknownError): void {
    error.#unanswered = undefined;
  }
}

/** The transaction was not committed, as the database has said. Nothing was kept. */
export class RolledBackError extends BreakwaterError {
  readonly code = "ERR_BREAKWATER_ROLLED_BACK";

  constructor(pool: string, why: string, cause: unknown, failure: Failure) {
    super(`pool "${pool}": the transaction was rolled back: ${why}`, pool, failure, cause);
  }
}

/** An option is unknown or out of range. Thrown at construction. */
export class OptionError extends RangeError {
  /** What callers compare. */
  readonly code = "ERR_BREAKWATER_OPTION";
  /** The option as the user wrote it, such as `retry.maxRetries`. */
  readonly option: string;
  /** What was given, as far as it may be shown: credentials are hidden, and objects, which may hold some, left out. */
  readonly value: unknown;

  /** `expected` completes "must be …"; a `complaint` stands in its place where that sentence does not fit. */
  constructor(option: string, value: unknown, expected: string, complaint: string = `must be ${expected}`) {
    const shown = presentable(value);
    super(`option ${option} ${complaint}, got ${show(typeof value === "object" ? value : shown)}`);
    this.option = option;
    this.value = shown;
  }

  /** Name of the class. */
  override get name(): string {
    return "OptionError";
  }
}

/** Layers of a stack stand in an order in which they cannot do their work. Thrown at construction. */
export class StackOrderError extends Error {
  /** What callers compare. */
  readonly code = "ERR_BREAKWATER_STACK_ORDER";
  /** The layer that must stand further out. */
  readonly outer: string;
  /** The layer that must stand further in. */
  readonly inner: string;

  constructor(pool: string, outer: string, inner: string, reason: string) {
    super(`pool "${pool}": ${outer} must stand outside ${inner}, as in compose(${outer}, ${inner})(pool): ${reason}`);
    this.outer = outer;
    this.inner = inner;
  }

  /** Name of the class. */
  override get name(): string {
    return "StackOrderError";
  }
}

/** Scheme, credentials and the rest of a connection string in which there is no doubt where the credentials end. */
const PLAIN_URL = /^([a-z]+:\/\/)[^@?]*(@[^@?]*)(?:\?[^@]*)?$/i;

/** A text as it may be shown: of what looks like a connection string, no more than cannot be a password. */
function withoutSecrets(text: string): string {
  if (!/:\/\/|@|passw|pwd/i.test(text)) return text;
  const [, scheme, rest] = PLAIN_URL.exec(text) ?? [];
  return rest === undefined ? `${/^[a-z]+:\/\//i.exec(text)?.[0] ?? ""}…` : `${scheme}…${rest}`;
}

function presentable(value: unknown): unknown {
  if (typeof value === "string") return withoutSecrets(value);
  if (Array.isArray(value))
    return Object.freeze(value.map((entry) => (Array.isArray(entry) ? [] : presentable(entry))));
  return typeof value === "object" && value !== null ? undefined : value;
}

/** A short picture of a wrong value. Objects are named, not printed: they may hold a password. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

/** What a thrown value says, whatever it is. */
export function messageOf(thrown: unknown): string {
  try {
    const told: unknown = thrown instanceof Error ? thrown.message : thrown;
    return String(told);
  } catch {
    return "something that cannot be shown";
  }
}
