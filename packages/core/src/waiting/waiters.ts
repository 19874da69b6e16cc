/**
 * Those who wait for something that is handed out one by one, served in the order of their coming.
 */
import { Chain, type Linked } from "./chain.ts";

interface Waiter<T> extends Linked<Waiter<T>> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export class Waiters<T> {
  readonly #chain = new Chain<Waiter<T>>();

  get size(): number {
    return this.#chain.size;
  }

  /** Waits in line; `joined` is called when that is so. */
  join(joined: () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#chain.push({ resolve, reject, before: undefined, after: undefined });
      joined();
    });
  }

  /** Serves the first in line. */
  serve(value: T): void {
    this.#chain.shift()?.resolve(value);
  }

  /** Sends away all but the first so many. */
  keepOnly(count: number, reason: unknown): void {
    while (this.#chain.size > count) this.#chain.pop()?.reject(reason);
  }
}
