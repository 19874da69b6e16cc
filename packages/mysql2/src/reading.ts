/**
 * The rows of one statement as they come, no faster than they are read. MySQL sends a result to its end before it does
 * anything else on a connection: who leaves early has the rest thrown away, or the link cut.
 */
import type { Readable } from "node:stream";

/** A part of the rows; with `done`, the last. */
export interface Part {
  readonly rows: readonly unknown[];
  readonly done: boolean;
}

export class Reading {
  readonly #begin: (batchSize: number) => Readable;
  #source: Readable | undefined;
  #over = false;
  #failed: { readonly error: unknown } | undefined;
  #changed: (() => void) | undefined;

  /** `begin` sends the statement. */
  constructor(begin: (batchSize: number) => Readable) {
    this.#begin = begin;
  }

  /** Whether the server has rows that nobody has read. */
  get open(): boolean {
    return this.#source !== undefined && !this.#over;
  }

  /** Resolves to the next rows. Rejects with the error of the statement or the link. */
  async read(count: number): Promise<Part> {
    const source = (this.#source ??= this.#start(count));
    const rows: unknown[] = [];
    while (rows.length < count) {
      const row: unknown = source.read();
      if (row !== null) rows.push(row);
      else if (this.#over) break;
      else await new Promise<void>((resolve) => (this.#changed = resolve));
    }
    if (this.#failed !== undefined) throw this.#failed.error;
    return { rows, done: this.#over };
  }

  /** Throws away what is still to come. Never rejects. */
  async drain(): Promise<void> {
    while (this.open) await this.read(1_000).catch(() => undefined);
  }

  /** The link is gone, and nothing will come any more. */
  lost(error: unknown): void {
    if (!this.#over) this.#end({ error });
  }

  #start(count: number): Readable {
    const source = this.#begin(count);
    source.on("readable", () => this.#wake());
    source.on("end", () => this.#end(undefined));
    source.on("error", (error) => this.#end({ error }));
    source.on("close", () => this.#end(undefined));
    return source;
  }

  #end(failed: { readonly error: unknown } | undefined): void {
    this.#failed ??= this.#over ? undefined : failed;
    this.#over = true;
    this.#wake();
  }

  #wake(): void {
    const changed = this.#changed;
    this.#changed = undefined;
    changed?.();
  }
}
