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
 * An answer to a statement that had its connection to itself is slow when it took longer than this and twice the shortest
 * way to the server and back, in milliseconds: the rest of the machine has a part in it.
 */
const SLOW_MS = 10;
/** A statement that follows others on a shared connection takes as long as the server needs: longer is slow, in milliseconds. */
const SLOW_SHARED_MS = 2;
/** By this share of the way it may take longer: nobody notices. */
const SHARED_SHARE = 8;
/** One answer behind others that took longer tells enough, in milliseconds. */
const SURELY_SLOW_MS = 50;
/** Below that one answer counts for at most so many times what is slow: two of a window, not one, are too many. */
const LATE_SHARE = 8;
/** So many answers behind others tell how long that is, weighed against the ones before. */
const SHARED_SAMPLES = 8;
/** A text shares a connection once so many more of its answers were quick than not. */
const PROVEN = 2;
/** What a text can gain by quick answers, one each, and lose by slow ones, the more the slower they are. */
const MOST_CREDIT = 64;
const LEAST_CREDIT = -1_024;
/** What a text loses that was too slow to be shared, the first time; twice as much each time after that. */
const SHARED_PENALTY = 32;

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
  /** Must not be prepared any more: what a pooler keeps of it is of no use. */
  unprepared = false;
  #credit = 0;
  // How long the server needed of late, behind others.
  #sharedMs = 0;
  #sharedAnswers = 0;
  #penalty = SHARED_PENALTY;

  constructor(text: string) {
    this.text = text;
    this.planned = PLANNED.test(text) && !SEVERAL.test(text);
    this.reads = this.planned && postgres.classify(text) === "read";
  }

  /** Whether others need not fear to stand behind it. */
  get quick(): boolean {
    return this.#credit >= PROVEN;
  }

  /** It was answered after so long, with the connection to itself. */
  took(ms: number, slowMs: number): void {
    // A busy machine makes late answers of quick ones, now and then. To keep them apart for that would make it busier.
    const change = ms <= slowMs ? 1 : -Math.min((ms / slowMs / 2) ** 2, ms / 4);
    this.#credit = Math.max(LEAST_CREDIT, Math.min(MOST_CREDIT, this.#credit + change));
  }

  /** It was answered so long after the one before it. */
  followed(ms: number, slowMs: number): void {
    this.#sharedAnswers += 1;
    // One chunk of answers waits for the network once: only the mean tells what each of them took.
    const counted = ms < SURELY_SLOW_MS ? Math.min(ms, LATE_SHARE * slowMs) : ms;
    this.#sharedMs += (counted - this.#sharedMs) / Math.min(this.#sharedAnswers, 2 * SHARED_SAMPLES);
    if (this.#sharedAnswers < SHARED_SAMPLES && ms < SURELY_SLOW_MS) return;
    if (this.#sharedMs <= slowMs) {
      if (this.#credit < MOST_CREDIT) this.#credit += 1;
      else this.#penalty = SHARED_PENALTY;
      return;
    }
    this.#credit = -this.#penalty;
    this.#penalty = Math.min(-LEAST_CREDIT, 2 * this.#penalty);
    this.#sharedAnswers = 0;
    this.#sharedMs = 0;
  }
}

/** The texts of one pool. Two generations: a full young one becomes the old one, and what was in the old one is forgotten. */
export class Texts {
  /** Whether statements are prepared on their first use. */
  readonly #atOnce: boolean;
  #prepares: boolean;
  #givesUp: boolean;
  /** A pooler keeps what is prepared, by its text: for all its clients, and on whatever server it likes. */
  keptByPooler = false;
  // The shortest way to the server and back so far.
  #wayMs = Number.POSITIVE_INFINITY;
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
    return this.#prepares && !info.unprepared && (this.#atOnce || info.uses > 1) && info.text.length <= MAX_LENGTH;
  }

  /** How long the way takes at least, as far as is known. */
  get wayMs(): number {
    return Number.isFinite(this.#wayMs) ? this.#wayMs : 0;
  }

  /** A new connection had the server's first word after so long. */
  reached(ms: number): void {
    this.#wayMs = Math.min(this.#wayMs, ms);
  }

  /**
   * A statement was answered after so long; or so long after the one that it stood behind, and `sinceSentMs` after it was
   * sent: the server may have had nothing to do in between.
   */
  took(info: TextInfo, ms: number, sinceSentMs?: number): void {
    if (sinceSentMs !== undefined) {
      const workedMs = Math.max(0, Math.min(ms, sinceSentMs - this.wayMs));
      info.followed(workedMs, SLOW_SHARED_MS + this.wayMs / SHARED_SHARE);
      return;
    }
    this.#wayMs = Math.min(this.#wayMs, ms);
    info.took(ms, SLOW_MS + 2 * this.#wayMs);
  }

  /** The server did not know what it had prepared: between us stands a pooler that changes servers. */
  lost(): void {
    if (this.#givesUp) this.#prepares = false;
  }

  /** What was prepared of a text has turned out to be made for something that has changed since. */
  changed(info: TextInfo, generation: number): void {
    if (info.generation === generation) info.generation += 1;
    // Under another name a pooler would give us the same one again.
    if (this.keptByPooler) info.unprepared = true;
  }

  /**
   * Between us stands a pooler that changes servers. One that `keeps` what is prepared may be trusted until it loses
   * something; for another nothing is prepared any more, whatever was asked for.
   */
  pooled(keeps: boolean): void {
    if (!keeps) this.#prepares = false;
    this.keptByPooler = keeps;
    this.#givesUp = true;
  }
}
