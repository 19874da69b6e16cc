/**
 * What is known of the statements of one pool, by their texts: whether they can be prepared, and whether they are quick
 * enough to share a connection.
 */
import { postgres } from "@breakwater/postgres";

/** Whether statements are prepared: always, never, or from their second use on and while the server keeps them. */
export type PrepareOption = boolean | "auto";

/** One statement, of a kind that the server plans. What else there is (COPY, DDL, BEGIN …) gains nothing by it. */
const PLANNED = /^\s*(?:select|with|insert|update|delete|merge|values|table)\b/i;
/** Something behind a semicolon, which may also stand in a literal: then a statement is taken for several. */
const SEVERAL = /;\s*[^\s;]/;

/** Longest text that is remembered, in characters. */
const MAX_LENGTH = 8_192;
/** Most texts of one of the two generations. */
const MAX_TEXTS = 1_000;

/** A statement that took longer than this, in milliseconds, has a connection to itself from then on. */
const SLOW_MS = 20;
/** A text shares a connection after so many quick answers in a row. */
const PROVEN = 2;
/** After being slow for the n-th time it needs 8 · 2ⁿ quick answers; and at most so many. */
const MOST_PENALTY = 1_024;
/** So many quick answers in a row, and it was never slow. */
const FORGIVEN = 256;

/** One text. */
export class TextInfo {
  readonly text: string;
  /** The server plans it, and it is one statement: it may go by the extended protocol, under a name. */
  readonly planned: boolean;
  readonly reads: boolean;
  /** How often it was used. */
  uses = 0;
  /** Grows when what was prepared of it has turned out to be of no use any more: on other connections it is stale, too. */
  generation = 0;
  // Quick answers in a row; below zero while it must prove itself again.
  #credit = 0;
  #slips = 0;

  constructor(text: string) {
    this.text = text;
    this.planned = PLANNED.test(text) && !SEVERAL.test(text);
    this.reads = this.planned && postgres.classify(text) === "read";
  }

  /** Whether others need not fear to stand behind it. */
  get quick(): boolean {
    return this.#credit >= PROVEN;
  }

  /** It was answered after so long. */
  took(ms: number): void {
    if (ms <= SLOW_MS) {
      if (this.#credit < FORGIVEN) this.#credit += 1;
      else this.#slips = 0;
      return;
    }
    // Once may be the machine.
    this.#credit = this.#slips === 0 ? 0 : -Math.min(MOST_PENALTY, 8 * 2 ** this.#slips);
    this.#slips = Math.min(this.#slips + 1, 10);
  }
}

/** The texts of one pool. Two generations: a full young one becomes the old one, and what was in the old one is forgotten. */
export class Texts {
  /** Whether statements are prepared on their first use. */
  readonly #atOnce: boolean;
  #prepares: boolean;
  readonly #givesUp: boolean;
  #young = new Map<string, TextInfo>();
  #old = new Map<string, TextInfo>();

  constructor(prepare: PrepareOption) {
    this.#prepares = prepare !== false;
    this.#atOnce = prepare === true;
    this.#givesUp = prepare === "auto";
  }

  of(text: string): TextInfo {
    const known = this.#young.get(text);
    if (known !== undefined) return known;
    const info = this.#old.get(text) ?? new TextInfo(text);
    if (text.length > MAX_LENGTH) return info;
    if (this.#young.size >= MAX_TEXTS) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, info);
    return info;
  }

  /** What is known of a text that was used of late. */
  known(text: string): TextInfo | undefined {
    return this.#young.get(text) ?? this.#old.get(text);
  }

  /** Whether a statement is to be prepared under a name. */
  prepares(info: TextInfo): boolean {
    return this.#prepares && (this.#atOnce || info.uses > 1) && info.text.length <= MAX_LENGTH;
  }

  /** The server did not know what it had prepared: between us stands a pooler that changes servers. */
  lost(): void {
    if (this.#givesUp) this.#prepares = false;
  }
}
