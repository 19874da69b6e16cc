/**
 * What tests await instead of sleeping.
 */
import { setTimeout as delay } from "node:timers/promises";

/** Longest that anything is awaited, in milliseconds: ten times what a loaded machine needs. */
const LIMIT_MS = 20_000;

/** Asks again until the answer is true, at most so long. */
export async function until(
  what: string | (() => string),
  answer: () => boolean | Promise<boolean>,
  limitMs: number = LIMIT_MS,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await answer())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${typeof what === "string" ? what : what()}`);
    await delay(5);
  }
}

/** What a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in outcome) return outcome.error as Error;
  throw new Error("expected an error, but the call succeeded");
}

/** Everything that comes, in order. */
export async function all<T>(coming: AsyncIterable<T>): Promise<T[]> {
  const came: T[] = [];
  for await (const each of coming) came.push(each);
  return came;
}
