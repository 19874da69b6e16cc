/**
 * A wait with an end: a limit in time, an abort, and something sensible done with what arrives too late.
 */
import { type Clock, setLimit } from "./clock.ts";
import { noteFailure } from "../contract/failure.ts";

/** When a wait ends although nothing has arrived. */
export interface WaitLimits {
  /** Source of the time. */
  readonly clock: Clock;
  /** In milliseconds of the clock; `Infinity` is never. */
  readonly limit: number;
  /** Ends the wait when it aborts; undefined when nobody can. */
  readonly signal: AbortSignal | undefined;
  /** Makes the error for a limit that passed. */
  readonly onLimit: () => Error;
  /** Holds the way to end the wait from outside, for as long as it lasts. */
  readonly waiting?: Set<(reason: Error) => void>;
}

/** What happens to a wait that was given up. */
export interface GivenUp<T> {
  /** Called at once, to leave a queue. */
  readonly left?: () => void;
  /** Called with what arrives after all, to give it back. */
  readonly late?: (value: T) => void;
}

/** Waits for `arriving`, at most until the limit or an abort. Leaves no timer and no listener behind. */
export function bounded<T>(arriving: Promise<T>, limits: WaitLimits, givenUp: GivenUp<T> = {}): Promise<T> {
  const { clock, limit, signal, onLimit } = limits;
  const { waiting } = limits;
  if (limit === Number.POSITIVE_INFINITY && signal === undefined && waiting === undefined) return arriving;
  return new Promise((resolve, reject) => {
    let over = false;
    const end = (): boolean => {
      if (over) return false;
      over = true;
      timer?.cancel();
      waiting?.delete(leave);
      signal?.removeEventListener("abort", onAbort);
      return true;
    };
    const leave = (reason: Error): void => {
      if (!end()) return;
      givenUp.left?.();
      reject(reason);
    };
    const onAbort = (): void => leave(abortReason(signal as AbortSignal));
    arriving.then(
      (value) => (end() ? resolve(value) : givenUp.late?.(value)),
      (error: unknown) => end() && reject(error as Error),
    );
    const timer =
      limit === Number.POSITIVE_INFINITY ? undefined : setLimit(clock, limit - clock.now(), () => leave(onLimit()));
    waiting?.add(leave);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** The reason with which `signal` has aborted, marked as the caller's wish: nobody retries it, and no node is blamed. */
export function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  noteFailure(reason, {
    phase: "running",
    effect: "none",
    retry: "never",
    blames: "caller",
    connection: "keep",
    reason: "aborted by the caller",
  });
  return reason as Error;
}
