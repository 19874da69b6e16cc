/** What a `pg.Pool` face is told when it is made. */
import { type CallOptions, type Database, flag, knownOptions, nonNegativeMs, OptionError } from "@breakwater/core";
import { PG_LAYER } from "../driver.ts";

/** Options of the face: what may be said of a call is said of each of its calls. */
export interface AsPgPoolOptions extends Omit<CallOptions, "idempotencyKey"> {
  /**
   * Keeps a connection on which a `query` failed with an ordinary error. `pg`'s own pool ends it, and so does this one
   * unless told otherwise. @default false
   */
  readonly keepAfterError?: boolean;
  /**
   * Takes a lent client's single statements through the stack, over that client while it lives: those before its first
   * statement that needs a connection (BEGIN, SET, LISTEN …). Some libraries borrow a client for each statement.
   * @default true where `exactlyOnce` or `idempotent` is said, else false
   */
  readonly clientsThroughStack?: boolean;
  /** How long `end()` waits for what runs and for clients that are lent, in milliseconds. @default 10000 */
  readonly drainMs?: number;
}

/** Options with their defaults filled in. */
export interface FaceOptions {
  readonly call: CallOptions;
  readonly keepAfterError: boolean;
  readonly clientsThroughStack: boolean;
  readonly drainMs: number;
}

/** What may be said of every call of a face. */
export const CALL_OPTIONS = [
  "access",
  "idempotent",
  "exactlyOnce",
  "timeoutMs",
  "signal",
  "priority",
  "consistency",
  "label",
] as const;

const FACE_OPTIONS = [...CALL_OPTIONS, "keepAfterError", "clientsThroughStack", "drainMs"] as const;

/** @throws OptionError when an option is unknown or out of range, or the stack does not stand on `pg`. */
export function checkFace(db: Database, options: AsPgPoolOptions): FaceOptions {
  if (typeof db?.context !== "function") {
    throw new TypeError("asPgPool() must be given a Database, such as the result of breakwater() or database()");
  }
  if (!db.pool.layers.some((layer) => layer.name === PG_LAYER)) {
    const expected = "a Database on pg";
    throw new OptionError("asPgPool.db", db.pool.name, expected, "must stand on fromPg(): its clients are pg's");
  }
  const { keepAfterError, clientsThroughStack, drainMs, ...call } = knownOptions("asPgPool", options, FACE_OPTIONS);
  const repeats = call.exactlyOnce === true || call.idempotent === true;
  // Asked once for the sake of its checks: a wrong option is told here and not at the first call.
  db.context(call, () => "write");
  return {
    call,
    keepAfterError: flag("asPgPool.keepAfterError", keepAfterError ?? false),
    clientsThroughStack: flag("asPgPool.clientsThroughStack", clientsThroughStack ?? repeats),
    drainMs: nonNegativeMs("asPgPool.drainMs", drainMs ?? 10_000),
  };
}
