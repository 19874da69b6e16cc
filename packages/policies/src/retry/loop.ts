/**
 * The loop: p-retry, with nothing of it to be seen from outside. The only file that imports it.
 *
 * p-retry never retries a `TypeError`, turns whatever is not an `Error` into one, and waits on the machine's clock. So it is
 * handed one and the same plain error for every failure, while the real one stays here; and it is told to wait for nothing,
 * while `again` does the waiting.
 */
import pRetry from "p-retry";

const FAILED = new Error("attempt failed");

/**
 * Goes on with a call whose first attempt has failed.
 * @param firstError What the first attempt was rejected with.
 * @param attempt Makes one attempt; they are counted from 2.
 * @param again Decides after each failure, the first included: resolves when it is time for the next attempt, or rejects
 * with what the caller is to get.
 */
export function loop<T>(
  firstError: unknown,
  attempt: (number: number) => Promise<T>,
  again: (error: unknown, attempts: number) => Promise<void>,
): Promise<T> {
  let lastError = firstError;
  const next = async (number: number): Promise<T> => {
    if (number > 1) {
      try {
        return await attempt(number);
      } catch (error) {
        lastError = error;
      }
    }
    throw FAILED;
  };
  return pRetry(next, {
    // How often is a question of the kind of failure, so `again` counts.
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 0,
    shouldRetry: async ({ attemptNumber }) => {
      await again(lastError, attemptNumber);
      return true;
    },
  });
}
