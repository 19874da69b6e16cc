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

/**
 * An answer is slow that took longer than four times what is typical, and in any case within these bounds, in
 * milliseconds: where the whole machine is slow, no statement is to blame.
 */
const LEAST_SLOW_MS = 20;
const MOST_SLOW_MS = 60;
/** A text shares a connection once so many more of its answers were quick than not. */
const PROVEN = 2;
/** What a text can gain by quick answers, and lose by slow ones, one for each four milliseconds. */
const MOST_CREDIT = 64;
const LEAST_CREDIT = -1_024;

/** One text. */
export class TextInfo {
  readonly text: string;
  /** The server plans it, and it is one statement: it may go by the extended protocol, under a name. */
  readonly planned: boolean;
  readonly reads: boolean;
  /** It ends a transaction. */
  readonly commits: boolean;
  /** How often it was used. */
  uses = 0;
  /** Grows when what was prepared of it has turned out to be of no use any more: on other connections it is stale, too. */
  generation = 0;
  #credit = 0;

  constructor(text: string) {
    this.text = text;
    this.planned = PLANNED.test(text) && !SEVERAL.test(text);
    this.reads = this.planned && postgres.classify(text) === "read";
    this.commits = !this.planned && postgres.commits(text);
  }

  /** Whether others need not fear to stand behind it. */
  get quick(): boolean {
    return this.#credit >= PROVEN;
  }

  /** It was answered after so long. */
  took(ms: number, slowMs: number): void {
    this.#credit =
      ms <= slowMs ? Math.min(MOST_CREDIT, this.#credit + 1) : Math.max(LEAST_CREDIT, this.#credit - ms / 4);
  }
}

/** The texts of one pool. Two generations: a full young one becomes the old one, and what was in the old one is forgotten. */
export class Texts {
  /** Whether statements are prepared on their first use. */
  readonly #atOnce: boolean;
  #prepares: boolean;
  readonly #givesUp: boolean;
  #typicalMs = 1;
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

  /** A statement was answered after so long. */
  took(info: TextInfo, ms: number): void {
    // A step towards each answer leads to their median.
    this.#typicalMs *= ms > this.#typicalMs ? 1.02 : 1 / 1.02;
    info.took(ms, Math.min(MOST_SLOW_MS, Math.max(LEAST_SLOW_MS, 4 * this.#typicalMs)));
  }

  /** The server did not know what it had prepared: between us stands a pooler that changes servers. */
  lost(): void {
    if (this.#givesUp) this.#prepares = false;
  }

  /** Between us stands a pooler that changes servers: nothing is prepared any more, whatever was asked for. */
  giveUp(): void {
    this.#prepares = false;
  }
}
