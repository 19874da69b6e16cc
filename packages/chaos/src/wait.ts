/** The only place that waits by looking again. */
import { setTimeout as delay } from "node:timers/promises";
import { ChaosError } from "./errors.ts";

/** Longest wait for a server to do something, in milliseconds: ten times what a loaded machine needs. */
export const defaultLimitMs = 30_000;

export interface UntilOptions {
  /** Longest wait in milliseconds. */
  readonly limitMs?: number;
  /** Pause between two looks in milliseconds. */
  readonly everyMs?: number;
  /** What helps to understand a time-out, such as the end of the server's log. */
  readonly detail?: () => string;
}

/**
 * Calls `probe` until it gives anything but `undefined` or `false`. What the probe throws is remembered as the last error; only
 * a ChaosError about state or setup ends the wait at once, as waiting cannot change that.
 *
 * @throws ChaosError ERR_BREAKWATER_CHAOS_TIMEOUT naming `what`, the limit and the last error.
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  options: UntilOptions = {},
): Promise<T> {
  const { limitMs = defaultLimitMs, everyMs = 15, detail } = options;
  const end = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      if (error instanceof ChaosError && error.code !== "ERR_BREAKWATER_CHAOS_TIMEOUT") throw error;
      last = error;
    }
    if (performance.now() >= end) throw timeoutError(what, limitMs, last, detail?.());
    await delay(everyMs);
  }
}

/** Rejects when `promise` takes longer than `limitMs`; the timer never outlives the promise. */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  limitMs: number = defaultLimitMs,
  detail?: () => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timeoutError(what, limitMs, undefined, detail?.())), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function timeoutError(what: string, limitMs: number, last: unknown, detail: string | undefined): ChaosError {
  const reason = last instanceof Error ? `; last error: ${last.message}` : "";
  const more = detail === undefined || detail === "" ? "" : `\n${detail}`;
  return new ChaosError("ERR_BREAKWATER_CHAOS_TIMEOUT", `${what}: not within ${limitMs} ms${reason}${more}`, {
    cause: last,
  });
}
