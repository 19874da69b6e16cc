/**
 * One call that may hold a connection, and the time for which it does.
 */
import type { Connection, Operation } from "@breakwater/core";
import { callersOf } from "./stack.ts";
import type { Watch, Watched } from "./watch.ts";

/** A session or a transaction: what holds a connection while its function runs. */
export type HoldingOperation<T> = Exclude<Operation<T>, { readonly kind: "query" }>;

export class Holder<T> implements Watched {
  /** What is to be run in the place of the call. */
  readonly operation: HoldingOperation<T>;
  readonly kind: "session" | "transaction";
  readonly label: string | undefined;
  sinceMs = 0;
  readonly #watch: Watch;
  readonly #noted: { readonly stack?: string } | undefined;
  // Ends the connection; there is none where that is not wanted.
  readonly #cut: AbortController | undefined;
  readonly #callers: AbortSignal | undefined;
  // The run that holds a connection now: there is another one when the call is run again.
  #run = 0;
  #holding = false;

  constructor(
    operation: HoldingOperation<T>,
    noted: { readonly stack?: string } | undefined,
    watch: Watch,
    forced: boolean,
  ) {
    this.kind = operation.kind;
    this.label = operation.label;
    this.#watch = watch;
    this.#noted = noted;
    this.#callers = operation.signal;
    const run = (connection: Connection, attempt: number): Promise<T> => this.#hold(operation, connection, attempt);
    if (forced) {
      this.#cut = new AbortController();
      if (this.#callers?.aborted === true) this.#onAbort();
      else this.#callers?.addEventListener("abort", this.#onAbort, { once: true });
      this.operation = { ...operation, run, signal: this.#cut.signal };
    } else this.operation = { ...operation, run };
  }

  get stack(): string | undefined {
    return callersOf(this.#noted);
  }

  get takeable(): boolean {
    return this.#cut !== undefined;
  }

  take(error: Error): void {
    this.#cut?.abort(error);
  }

  /** The call is over. */
  leave(): void {
    this.#callers?.removeEventListener("abort", this.#onAbort);
    this.#release();
  }

  async #hold(operation: HoldingOperation<T>, connection: Connection, attempt: number): Promise<T> {
    this.#release();
    this.#run += 1;
    const run = this.#run;
    this.#holding = true;
    this.#watch.add(this);
    try {
      return await operation.run(connection, attempt);
    } finally {
      // A function that was given up may end long after the next one has begun.
      if (run === this.#run) this.#release();
    }
  }

  #release(): void {
    if (!this.#holding) return;
    this.#holding = false;
    this.#watch.remove(this);
  }

  readonly #onAbort = (): void => {
    this.#cut?.abort(this.#callers?.reason);
  };
}
