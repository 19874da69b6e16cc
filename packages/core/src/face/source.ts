/**
 * What callers bring to be sent a piece at a time, and whether it can be brought a second time.
 */
import { RolledBackError, UsageError } from "../contract/errors.ts";
import { failureOf, noteFailure } from "../contract/failure.ts";

/** Pieces in a row. A function is called for each attempt, and makes what can be read once of what can be read again. */
export type Source<T> = Iterable<T> | AsyncIterable<T> | (() => Iterable<T> | AsyncIterable<T>);

/** The pieces of one attempt. */
export type Pieces<T> = AsyncIterable<T> | readonly T[];

interface Destroyable {
  destroy?(): void;
}

/** A source over the attempts of one call. */
export class Sources<T> {
  readonly #pool: string;
  readonly #given: Source<T>;
  // What is being read, and is not at its end.
  #reading: { readonly made: object; readonly iterator: Iterator<T> | AsyncIterator<T> } | undefined;
  #begun = false;

  /** @throws UsageError when it is none. */
  constructor(pool: string, what: string, given: Source<T>) {
    if (typeof given !== "function" && !isIterable(given)) {
      throw new UsageError(pool, `${what} must be iterable, or a function that makes something iterable`);
    }
    this.#pool = pool;
    this.#given = given;
  }

  /**
   * Runs one attempt with all pieces from the first. When it fails and they could not be read again, nobody retries it.
   */
  async use<R>(attempt: (pieces: Pieces<T>) => Promise<R>): Promise<R> {
    if (this.#begun && !this.#again) throw readBefore(this.#pool);
    try {
      // A list needs no waiting for each of its pieces.
      return await attempt(Array.isArray(this.#given) ? (this.#given as readonly T[]) : this.#pieces());
    } catch (error) {
      if (this.#begun && !this.#again) noteFailure(error, { ...failureOf(error), retry: "never" });
      throw error;
    }
  }

  /** Lets go of a source that was not read to its end. */
  end(): void {
    const reading = this.#reading;
    this.#reading = undefined;
    if (reading === undefined) return;
    const { made, iterator } = reading;
    // A stream waits for its next piece, perhaps for ever, before it hears that nobody reads it any more.
    if (typeof (made as Destroyable).destroy === "function") (made as Destroyable).destroy?.();
    void (async () => iterator.return?.())().catch(() => undefined);
  }

  get #again(): boolean {
    return Array.isArray(this.#given) || typeof this.#given === "function";
  }

  async *#pieces(): AsyncGenerator<T, void, undefined> {
    this.end();
    this.#begun = true;
    const made = typeof this.#given === "function" ? this.#given() : this.#given;
    if (!isIterable(made)) throw new UsageError(this.#pool, "a source's function returned nothing iterable");
    const iterator =
      Symbol.asyncIterator in made ? made[Symbol.asyncIterator]() : (made as Iterable<T>)[Symbol.iterator]();
    this.#reading = { made, iterator };
    for (;;) {
      const next = await iterator.next();
      if (next.done === true) break;
      yield next.value;
    }
    this.#reading = undefined;
  }
}

function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  // The characters of a text are never what was meant.
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

function readBefore(pool: string): RolledBackError {
  return new RolledBackError(pool, "an attempt has failed, and its source cannot be read a second time", undefined, {
    phase: "unsent",
    effect: "none",
    retry: "never",
    blames: "caller",
    connection: "keep",
    reason: "its source cannot be read a second time",
  });
}
