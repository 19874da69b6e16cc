/**
 * A promise that the holder ends, and whose first hearers hear of it at once.
 *
 * `pg` gives a client back inside `release()`: when it returns, the counters have changed and the client is ended or
 * idle. A promise would tell the layer only after the caller's own code has gone on.
 */
export class Completion implements Promise<void> {
  readonly [Symbol.toStringTag] = "Completion";
  #hearers: (() => void)[] | undefined = [];

  /** Ends it. Does nothing the second time. */
  complete(): void {
    const hearers = this.#hearers ?? [];
    this.#hearers = undefined;
    for (const hear of hearers) hear();
  }

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

  catch(): Promise<void> {
    return this.then();
  }

  finally(done?: (() => void) | null): Promise<void> {
    return this.then(() => done?.());
  }
}
