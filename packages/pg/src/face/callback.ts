/** Callbacks, as `pg` calls them: never at once, and with whatever they throw left to the process. */

import pg from "pg";

/** How the callers of `pg` hear of an end. */
export type Callback<T> = (error: unknown, value?: T, more?: unknown) => void;

/** Calls a callback outside the promises of the layer, so that none of them catches what it throws. */
export function call(callback: unknown, ...given: readonly unknown[]): void {
  process.nextTick(callback as (...given: readonly unknown[]) => void, ...given);
}

/** The promise itself where there is no callback; else nothing. */
export function throughCallback<T>(promise: Promise<T>, callback: unknown): Promise<T> | undefined {
  if (typeof callback !== "function") return promise.catch(fromCaller);
  promise.then(
    (value) => call(callback, undefined, value),
    (error: unknown) => call(callback, error),
  );
  return undefined;
}

/** As `pg` does it: the stack of a database's error leads to who asked, not to the socket that it came from. */
function fromCaller(error: unknown): never {
  if (error instanceof pg.DatabaseError) Error.captureStackTrace(error);
  throw error;
}
