/**
 * PostgreSQL's tokens, as far as a classification needs them.
 *
 * It follows `scan.l`: nested comments, every kind of quoting, dollar quotes, and what older versions read in one go
 * (`1for` is a number and a word up to PostgreSQL 14). No character is read more than a few times, so a text costs time in
 * proportion to its length, whatever it holds.
 */
import { fold, HASH_SEED, lookUp, mix } from "./vocabulary.ts";

/** The kinds of token. */
export const END = 0;
/** An identifier or key word without quotes. */
export const WORD = 1;
/** An identifier in double quotes. */
export const QUOTED = 2;
/** A string, number or parameter. */
export const LITERAL = 3;
/** `(` */
export const OPEN = 4;
/** `)` */
export const CLOSE = 5;
/** `,` */
export const COMMA = 6;
/** `.` between names. */
export const DOT = 7;
/** `;` */
export const SEMICOLON = 8;
/** `::` */
export const CAST = 9;
/** `]` */
export const CLOSE_BRACKET = 10;
/** Any other operator or punctuation. */
export const OPERATOR = 11;
/** Something that no PostgreSQL server reads, or that is too unusual to follow. */
export const BAD = 12;

/** Longer dollar tags are given up on, which bounds the search for their end. */
const MAX_TAG = 64;

// Classes of ASCII characters, beyond the kinds of token that one character makes up; everything above is part of words.
const BLANK = 16;
const LETTER = 17;
const DIGIT = 18;
const DOLLAR = 19;
/** A character that begins tokens of more than one kind. */
const MIXED = 20;
const classes = new Uint8Array(128).fill(BAD);
const assign = (characters: string, kind: number): void => {
  for (const char of characters) classes[char.charCodeAt(0)] = kind;
};
assign(" \t\n\r\f\v", BLANK);
assign("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", LETTER);
assign("0123456789", DIGIT);
assign("$", DOLLAR);
assign("'\".:-/", MIXED);
assign("[~!@#^&|`?+*%<>=", OPERATOR);
assign("(", OPEN);
assign(")", CLOSE);
assign(",", COMMA);
assign(";", SEMICOLON);
assign("]", CLOSE_BRACKET);

function classOf(char: number): number {
  return char < 128 ? (classes[char] as number) : LETTER;
}

function isDigit(char: number): boolean {
  return char >= 48 && char <= 57;
}

/** Reads one text token by token; `reset` it for the next text. */
export class Lexer {
  /** The text being read. */
  sql = "";
  /** Where the next token is looked for. */
  position = 0;
  /** Where the last token's text begins; for a quoted identifier, after the quote. */
  start = 0;
  /** Where the last token's text ends. */
  end = 0;
  /** What is known of the last token, when it is a word. */
  code = 0;
  /** Whether a plain string was met whose end depends on `standard_conforming_strings`. */
  ambiguous = false;
  /** Whether plain strings are read with backslash escapes. */
  private escapes = false;

  /** Begins a text. */
  reset(sql: string, escapes: boolean): void {
    this.sql = sql;
    this.position = 0;
    this.ambiguous = false;
    this.escapes = escapes;
  }

  /** Whether an opening parenthesis follows. */
  beforeOpen(): boolean {
    const at = this.skip(this.position);
    return at >= 0 && this.sql.charCodeAt(at) === 40;
  }

  /** Moves to the next token and gives its kind. */
  next(): number {
    const at = this.skip(this.position);
    if (at < 0) return BAD;
    const sql = this.sql;
    if (at >= sql.length) {
      this.position = at;
      return END;
    }
    const char = sql.charCodeAt(at);
    const kind = classOf(char);
    if (kind === LETTER) return this.word(at);
    if (kind < BLANK) {
      this.position = at + 1;
      return kind;
    }
    if (kind === DIGIT) return this.number(at);
    if (kind === DOLLAR) return this.dollar(at);
    this.position = at + 1;
    switch (char) {
      case 39: // '
        return this.string(at + 1, this.escapes, !this.escapes);
      case 34: // "
        return this.quoted(at + 1);
      case 46: // .
        return isDigit(sql.charCodeAt(at + 1)) ? this.number(at) : DOT;
      case 58: // :
        if (sql.charCodeAt(at + 1) !== 58) return OPERATOR;
        this.position = at + 2;
        return CAST;
      default:
        return OPERATOR;
    }
  }

  /** The position of the next character that is neither blank nor in a comment; -1 when a comment never ends. */
  private skip(from: number): number {
    const sql = this.sql;
    let at = from;
    while (at < sql.length) {
      const char = sql.charCodeAt(at);
      if (char === 32 || (char <= 13 && char >= 9)) at++;
      else if (char === 45 && sql.charCodeAt(at + 1) === 45) at = this.endOfLine(at + 2);
      else if (char === 47 && sql.charCodeAt(at + 1) === 42) {
        at = this.endOfComment(at + 2);
        if (at < 0) return -1;
      } else break;
    }
    return at;
  }

  private word(from: number): number {
    const sql = this.sql;
    const length = sql.length;
    let hash = HASH_SEED;
    let at = from;
    for (; at < length; at++) {
      const char = sql.charCodeAt(at);
      if (char < 128) {
        const kind = classes[char] as number;
        if (kind !== LETTER && kind !== DIGIT && kind !== DOLLAR) break;
      }
      hash = mix(hash, fold(char));
    }
    if (at - from === 1 && at < length) {
      const prefixed = this.prefixed(sql.charCodeAt(from) | 0x20, at);
      if (prefixed !== END) return prefixed;
    }
    this.start = from;
    this.end = at;
    this.position = at;
    this.code = lookUp(sql, from, at, hash, false);
    return WORD;
  }

  /** A string that begins with a letter, of which `at` is the character after; END when it is none. */
  private prefixed(letter: number, at: number): number {
    const char = this.sql.charCodeAt(at);
    if (char === 39) {
      if (letter === 101) {
        // E
        if (this.string(at + 1, true, false) === BAD) return BAD;
        // After a line break a string continues with the same escapes: too rare to follow.
        return this.sql.charCodeAt(this.skip(this.position)) === 39 ? BAD : LITERAL;
      }
      if (letter === 110) return this.string(at + 1, this.escapes, !this.escapes); // N
      return letter === 98 || letter === 120 ? this.string(at + 1, false, false) : END; // B, X
    }
    if (letter !== 117 || char !== 38) return END; // U&
    const quote = this.sql.charCodeAt(at + 1);
    if (quote === 39) return this.string(at + 2, false, false);
    // An identifier in escapes could be any name.
    return quote === 34 ? BAD : END;
  }

  private number(from: number): number {
    const sql = this.sql;
    let at = from;
    while (isDigit(sql.charCodeAt(at))) at++;
    if (sql.charCodeAt(at) === 46) {
      at++;
      while (isDigit(sql.charCodeAt(at))) at++;
    }
    // Exponents and radix prefixes come out as a word of their own, which changes nothing.
    this.position = at;
    return LITERAL;
  }

  private dollar(from: number): number {
    const sql = this.sql;
    let at = from + 1;
    if (isDigit(sql.charCodeAt(at))) {
      while (isDigit(sql.charCodeAt(at))) at++;
      this.position = at;
      return LITERAL;
    }
    for (const limit = from + MAX_TAG; at < limit && at < sql.length; at++) {
      const kind = classOf(sql.charCodeAt(at));
      if (kind === DOLLAR) {
        const close = sql.indexOf(sql.slice(from, at + 1), at + 1);
        if (close < 0) return BAD;
        this.position = close + at + 1 - from;
        return LITERAL;
      }
      if (kind !== LETTER && kind !== DIGIT) return BAD;
    }
    return BAD;
  }

  /**
   * A string whose text begins at `from`.
   *
   * @param escapes whether a backslash takes the character after it along
   * @param doubtful whether a backslash before a quote makes the text ambiguous
   */
  private string(from: number, escapes: boolean, doubtful: boolean): number {
    const sql = this.sql;
    for (let at = from; ;) {
      const quote = sql.indexOf("'", at);
      if (quote < 0) return BAD;
      let backslashes = 0;
      while (quote - backslashes > at && sql.charCodeAt(quote - backslashes - 1) === 92) backslashes++;
      if ((backslashes & 1) === 1) {
        if (doubtful) this.ambiguous = true;
        if (escapes) {
          at = quote + 1;
          continue;
        }
      }
      if (sql.charCodeAt(quote + 1) !== 39) {
        this.position = quote + 1;
        return LITERAL;
      }
      at = quote + 2;
    }
  }

  private quoted(from: number): number {
    const sql = this.sql;
    let at = from;
    let close = sql.indexOf('"', at);
    while (close >= 0 && sql.charCodeAt(close + 1) === 34) {
      at = close + 2;
      close = sql.indexOf('"', at);
    }
    if (close <= from) return BAD;
    let hash = HASH_SEED;
    for (let index = from; index < close; index++) hash = mix(hash, fold(sql.charCodeAt(index)));
    this.start = from;
    this.end = close;
    this.position = close + 1;
    this.code = lookUp(sql, from, close, hash, true);
    return QUOTED;
  }

  private endOfLine(from: number): number {
    let at = from;
    while (at < this.sql.length && this.sql.charCodeAt(at) !== 10 && this.sql.charCodeAt(at) !== 13) at++;
    return at;
  }

  /** The position after the comment whose text begins at `from`, or -1 when it never ends. */
  private endOfComment(from: number): number {
    const sql = this.sql;
    let depth = 1;
    for (let at = from; at < sql.length;) {
      const char = sql.charCodeAt(at);
      const after = sql.charCodeAt(at + 1);
      if (char === 42 && after === 47) {
        at += 2;
        if (--depth === 0) return at;
      } else if (char === 47 && after === 42) {
        at += 2;
        depth++;
      } else at++;
    }
    return -1;
  }
}
