/** Counts the calls of one face, so that its end can wait for them. */
import { systemClock } from "@breakwater/core";

export class Running {
  #count = 0;
  #idle: (() => void) | undefined;

  /** Counts a call until it settles. */
  add<T>(call: Promise<T>): Promise<T> {
    this.#count += 1;
    const done = (): void => {
      this.#count -= 1;
      if (this.#count === 0) this.#idle?.();
    };
    call.then(done, done);
    return call;
  }

  /** Waits until none runs, at most `limitMs`; says whether that has come. */
  drained(limitMs: number): Promise<boolean> {
    if (this.#count === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = systemClock.setTimer(limitMs, () => resolve(false));
      this.#idle = () => {
        timer.cancel();
        resolve(true);
      };
    });
  }
}
