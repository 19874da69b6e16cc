/**
 * Attempts to open a connection that are under way, each with the way to give it up.
 */
export class OpeningAttempts<T> {
  readonly #underWay = new Map<AbortController, Promise<T>>();

  get size(): number {
    return this.#underWay.size;
  }

  /** Begins one. It counts until `ended` is called with it. */
  begin(open: (attempt: AbortController) => Promise<T>): Promise<T> {
    const attempt = new AbortController();
    const opening = open(attempt);
    this.#underWay.set(attempt, opening);
    return opening;
  }

  ended(attempt: AbortController): void {
    this.#underWay.delete(attempt);
  }

  /** What becomes of the one that ends first. */
  first(): Promise<T> {
    return Promise.race(this.#underWay.values());
  }

  /** Gives all of them up; they count no more, unless their end is still to be waited for. */
  giveUp(reason: Error, count: boolean): void {
    for (const attempt of this.#underWay.keys()) {
      attempt.abort(reason);
      if (!count) this.#underWay.delete(attempt);
    }
  }

  /** Resolves when all have ended, well or badly. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay.values());
  }
}
