/**
 * One thing after another, in the order in which it was asked for.
 */
export class Turns {
  // The last of them, while one runs.
  #last: Promise<unknown> | undefined;

  /** Runs `start` when everything before it has ended, well or badly. */
  take<R>(start: () => Promise<R>): Promise<R> {
    const taken = this.#last === undefined ? start() : this.#last.then(start, start);
    this.#last = taken;
    const next = (): void => {
      if (this.#last === taken) this.#last = undefined;
    };
    taken.then(next, next);
    return taken;
  }

  /** Waits until nothing runs, whatever becomes of it. */
  async settled(): Promise<void> {
    while (this.#last !== undefined) await this.#last.catch(() => undefined);
  }
}
