/** Does one thing after another, in the order in which they were asked for. */
export class ClientTurns {
  #last: Promise<unknown> | undefined;
  readonly #idle: () => void;

  /** `idle` is told each time when there is nothing left to do. */
  constructor(idle: () => void) {
    this.#idle = idle;
  }

  /** Does it when all before it have ended, however they did. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last === undefined ? work() : this.#last.then(work, work);
    const over = done.then(
      () => undefined,
      () => undefined,
    );
    this.#last = over;
    void over.then(() => {
      if (this.#last !== over) return;
      this.#last = undefined;
      this.#idle();
    });
    return done;
  }

  /** Resolves when nothing is left to do. */
  async over(): Promise<void> {
    while (this.#last !== undefined) await this.#last;
  }
}
