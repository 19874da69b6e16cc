/**
 * The end of what somebody holds, told at once: when a `release()` returns, the connection is back or on its way. A promise
 * would tell the layer only after the caller's own code has gone on.
 */

/** A promise that its maker ends, and whose first hearers hear of it inside `complete`. For faces. */
export class Completion implements Promise<void> {
  /** How it is shown. */
  readonly [Symbol.toStringTag]: string = "Completion";
  #hearers: (() => void)[] | undefined = [];

  /** Ends it. Does nothing the second time. */
  complete(): void {
    const hearers = this.#hearers ?? [];
    this.#hearers = undefined;
    for (const hear of hearers) hear();
  }

  /** Hears of the end; never rejects by itself. */
  // oxlint-disable-next-line unicorn/no-thenable -- to be awaited is what it is for
  then<A = void, B = never>(
    fulfilled?: ((value: void) => A | PromiseLike<A>) | null,
    _rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise((resolve, reject) => {
      const hear = (): void => {
        try {
          resolve(typeof fulfilled === "function" ? fulfilled() : (undefined as A));
        } catch (error) {
          reject(error);
        }
      };
      if (this.#hearers === undefined) queueMicrotask(hear);
      else this.#hearers.push(hear);
    });
  }

  /** Resolves with the end: there is nothing to catch. */
  catch(): Promise<void> {
    return this.then();
  }

  /** Calls `done` with the end. */
  finally(done?: (() => void) | null): Promise<void> {
    return this.then(() => done?.());
  }
}
