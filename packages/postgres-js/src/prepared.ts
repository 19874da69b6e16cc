/**
 * Which statements of a connection are prepared, and how postgres.js is kept from sending one again.
 *
 * postgres.js prepares under names of its own, by text and types, and keeps every one until the connection ends. When the
 * server refuses a prepared statement that it does not know any more, postgres.js sends it again of its own accord, with
 * parameters that it has made into texts already: a JSON value becomes a JSON string. So it is told after each sending that
 * the statement was not prepared, and the refusal comes to us: it proves that nothing was done, and the statement is
 * prepared anew the next time.
 */
import type { Statement } from "@breakwater/core";
import type { SqlQuery } from "./types.ts";

/** Whether statements are prepared: always, never, or from their second use on. */
export type PrepareOption = boolean | "auto";

/** Most statements that one connection keeps prepared, and most texts whose uses are counted. */
const MAX_PREPARED = 500;
const MAX_TEXTS = 1_000;
/** Longest text that is prepared without being asked to, in characters. */
const MAX_LENGTH = 8_192;

/** 26000, 42P05 and 0A000 "cached plan must not change result type": what is prepared is of no use any more. */
const OUT_OF_STEP: ReadonlySet<unknown> = new Set(["26000", "42P05", "0A000"]);

const FORGETTING = /^(?:DISCARD ALL|DEALLOCATE)/;

/** How often the texts of one pool were used. */
export class Uses {
  #option: PrepareOption;
  readonly #uses = new Map<string, number>();

  constructor(option: PrepareOption) {
    this.#option = option;
  }

  /** Whether a statement without a name is worth to be prepared. */
  prepares(text: string): boolean {
    if (this.#option !== "auto") return this.#option;
    if (text.length > MAX_LENGTH) return false;
    const uses = (this.#uses.get(text) ?? 0) + 1;
    if (this.#uses.size >= MAX_TEXTS) this.#uses.clear();
    this.#uses.set(text, uses);
    return uses > 1;
  }

  /** From now on nothing is prepared: behind a pooler it would not be found again. */
  giveUp(): void {
    this.#option = false;
  }

  /** Whether anything may be prepared. */
  get may(): boolean {
    return this.#option !== false;
  }
}

export class Prepared {
  readonly #uses: Uses;
  readonly #texts = new Set<string>();
  readonly #names = new Map<string, string>();

  constructor(uses: Uses) {
    this.#uses = uses;
  }

  /** Whether a statement is to be prepared. @throws Error when its name belongs to another text. */
  wants({ name, text, values }: Statement): boolean {
    if (name !== undefined) {
      const taken = this.#names.get(name);
      if (taken !== undefined && taken !== text)
        throw new Error(`Prepared statements must be unique - '${name}' was used for a different statement`);
      this.#names.set(name, text);
      return this.#uses.may;
    }
    if (values === undefined || values.length === 0 || !this.#uses.prepares(text)) return false;
    return this.#texts.has(text) || this.#texts.size < MAX_PREPARED;
  }

  /** Says for one sending of `query` whether it is prepared already, and never afterwards. */
  pin(query: SqlQuery, text: string): void {
    const known = this.#texts.has(text);
    let prepared = false;
    void Object.defineProperty(query, "prepared", {
      get: () => prepared,
      set: (has: unknown) => {
        prepared = known && Boolean(has);
        // It is sent in this same step; what comes later is an answer.
        queueMicrotask(() => (prepared = false));
      },
    });
  }

  /** A prepared statement was answered. */
  answered(text: string): void {
    this.#texts.add(text);
  }

  /** A statement has failed. */
  failed(code: unknown): void {
    if (OUT_OF_STEP.has(code)) this.forget();
  }

  /** A statement was carried out that may have taken prepared ones away. */
  did(command: string): void {
    if (FORGETTING.test(command)) this.forget();
  }

  forget(): void {
    this.#texts.clear();
    this.#names.clear();
  }
}
