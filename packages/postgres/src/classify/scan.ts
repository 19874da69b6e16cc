/**
 * Finds what a text does in one pass over its tokens.
 *
 * There is no parser and no tree. A statement's first word says whether it can be a read at all; after that it stays one
 * until a token proves otherwise: a data-modifying WITH, INTO, a row lock, the call of a function that is not known to be
 * harmless, a view of one node's state.
 */
import { judgeParenthesis, NO_CALL, NOT_AN_OPERAND, SETS, UNKNOWN_OR_OPERATOR } from "./call.ts";
import { Findings } from "./findings.ts";
import * as T from "./lexer.ts";
import * as P from "./previous.ts";
import { startsSession } from "./starters.ts";
import * as V from "./vocabulary.ts";

const { W } = V;

/** PostgreSQL itself gives up on deeper nesting (`max_stack_depth`). */
const MAX_DEPTH = 4096;

// What is remembered of an open parenthesis, or of the text outside all.
/** Between WITH and the statement it belongs to: names with column lists. */
const IN_WITH = 1;
/** In the list of GROUP BY, where ROLLUP and CUBE are no functions. */
const IN_GROUP_BY = 2;
/** An expression may follow directly on the closing parenthesis. */
const EXPRESSION_FOLLOWS = 4;
/** The options of EXPLAIN, after which the statement begins. */
const EXPLAIN_OPTIONS = 8;

const NOT_EXPLAIN = 0;
const EXPLAIN = 1;
const EXPLAIN_WITH_OPTIONS = 2;

/** A reader that can be used for one text after another. */
export class Scanner {
  private readonly lexer = new T.Lexer();
  private readonly enclosing = new Uint8Array(MAX_DEPTH);
  private found = new Findings();
  private depth = 0;
  private flags = 0;
  /** The token before the current one. */
  private previous: number = P.START;
  /** The token before the current name and its qualifiers. */
  private before: number = P.START;
  /** The schema that the current name is qualified with. */
  private schema: number = P.UNQUALIFIED;
  /** Where the current name and its qualifiers begin. */
  private nameStart = 0;
  /** The statement's first word is still to come. */
  private starting = true;
  private explain = NOT_EXPLAIN;
  /** A WITH was met in this statement: any of its data-modifying words, which also may name columns, is then taken for one. */
  private hasWith = false;

  /** Reads a text; `escapes` as with `standard_conforming_strings = off`. */
  scan(sql: string, escapes: boolean): Findings {
    const lexer = this.lexer;
    const found = (this.found = new Findings());
    lexer.reset(sql, escapes);
    this.depth = 0;
    this.begin();
    /** The last token, when it is a word or quoted identifier. */
    let name = T.END;
    for (;;) {
      const kind = lexer.next();
      switch (kind) {
        case T.WORD:
          this.name(false);
          name = T.WORD;
          continue;
        case T.COMMA:
          this.previous = P.COMMA;
          break;
        case T.LITERAL:
        case T.CLOSE_BRACKET:
          this.previous = P.OPERAND;
          break;
        case T.DOT:
          this.qualify(name);
          break;
        case T.QUOTED:
          this.name(true);
          name = T.QUOTED;
          continue;
        case T.OPERATOR:
          this.previous = P.OTHER;
          break;
        case T.OPEN:
          if (!this.open(name)) return this.end(true);
          break;
        case T.CLOSE:
          if (!this.close()) return this.end(true);
          break;
        case T.CAST:
          this.previous = P.CAST;
          break;
        case T.SEMICOLON:
          if (this.depth > 0) return this.end(true);
          this.begin();
          break;
        case T.BAD:
          return this.end(true);
        default:
          found.ambiguous = lexer.ambiguous;
          return this.end(this.depth > 0 || this.explain !== NOT_EXPLAIN);
      }
      name = T.END;
    }
  }

  private begin(): void {
    if (this.explain !== NOT_EXPLAIN) this.found.malformed = true;
    this.flags = 0;
    this.previous = P.START;
    this.before = P.START;
    this.schema = P.UNQUALIFIED;
    this.starting = true;
    this.hasWith = false;
    this.explain = NOT_EXPLAIN;
  }

  private end(malformed: boolean): Findings {
    if (malformed) this.found.malformed = true;
    this.explain = NOT_EXPLAIN;
    // Lets go of a text that may be long.
    this.lexer.sql = "";
    return this.found;
  }

  private name(quoted: boolean): void {
    const { lexer, found } = this;
    const { code, start } = lexer;
    const qualified = this.previous === P.DOT;
    if (!qualified) {
      this.before = this.previous;
      this.schema = P.UNQUALIFIED;
      this.nameStart = quoted ? start - 1 : start;
    } else if ((code & (V.SESSION_FUNCTION | V.WRITE_FUNCTION)) !== 0) {
      // `x.f` can be the call `f(x)`.
      if ((code & V.SESSION_FUNCTION) !== 0) found.session("function", lexer);
      else found.write("function", lexer);
    }
    if ((code & (V.SESSION_RELATION | V.WRITE_RELATION)) !== 0) {
      if ((code & V.SESSION_RELATION) !== 0) found.session("view", lexer);
      else found.write("view", lexer);
    } else if (code === 0) found.systemName(lexer);
    else if ((code & V.SEQUENCE_COLUMN) !== 0 && this.previous !== P.word(W.as) && !lexer.beforeOpen()) {
      found.write("sequence column", lexer);
    }
    if (quoted || qualified || (code & V.KEYWORD) === 0) {
      if (this.starting) this.start(0);
      this.previous = P.OPERAND;
      return;
    }
    if (this.starting) this.start(V.wordId(code));
    else {
      if ((code & V.ENDS_LIST) !== 0) this.flags &= ~(IN_WITH | IN_GROUP_BY);
      if ((code & V.RULED) !== 0) this.keyword(V.wordId(code));
    }
    this.previous = P.afterKeyword(code, this.previous);
  }

  /** A key word with a rule, inside a statement. */
  private keyword(id: number): void {
    const { found, lexer, previous } = this;
    switch (id) {
      case W.values:
        // Not reserved: it may also name a query of the list.
        if (previous === P.OPERAND) this.flags &= ~(IN_WITH | IN_GROUP_BY);
        return;
      case W.with:
        if (previous !== P.OPEN) return;
        this.flags |= IN_WITH;
        this.hasWith = true;
        return;
      case W.by:
        if (previous === P.word(W.group)) this.flags |= IN_GROUP_BY;
        return;
      case W.into:
        found.write("INTO", undefined);
        return;
      case W.insert:
      case W.delete:
      case W.merge:
        if (previous === P.OPEN || this.hasWith) found.write("statement", lexer);
        return;
      case W.update:
        if (previous === P.OPEN || this.hasWith) found.write("statement", lexer);
        if (previous === P.word(W.for)) found.write("row lock", undefined);
        return;
      case W.no:
      case W.share:
      case W.key:
        if (previous === P.word(W.for)) found.write("row lock", undefined);
        return;
      case W.temp:
      case W.temporary:
        if (P.beforeTemporary(previous)) found.session("temporary object", undefined);
        return;
      default:
    }
  }

  /** The first word of a statement; `id` is 0 for a word without a rule of its own. */
  private start(id: number): void {
    const { found, lexer } = this;
    switch (id) {
      case W.select:
      case W.values:
      case W.table:
        this.starting = false;
        this.explain = NOT_EXPLAIN;
        return;
      case W.with:
        this.starting = false;
        this.explain = NOT_EXPLAIN;
        this.flags |= IN_WITH;
        this.hasWith = true;
        return;
      case W.explain:
        if (this.explain !== NOT_EXPLAIN || this.depth > 0) break;
        this.explain = EXPLAIN;
        return;
      default:
        if (this.explain === EXPLAIN) {
          if (this.previous === P.OPEN && this.depth === 1) {
            this.flags |= EXPLAIN_OPTIONS;
            this.starting = false;
            return;
          }
          if (id === W.analyze || id === W.analyse || id === W.verbose) return;
        }
    }
    this.starting = false;
    this.explain = NOT_EXPLAIN;
    if (startsSession(lexer.sql.slice(lexer.start, lexer.end))) found.session("statement", lexer);
    else found.write("statement", lexer);
  }

  private qualify(name: number): void {
    const id = name === T.END ? 0 : V.wordId(this.lexer.code);
    const first = this.schema === P.UNQUALIFIED;
    if (first && id === W.pg_catalog) this.schema = P.PG_CATALOG;
    else if (first && id === W.information_schema) this.schema = P.INFORMATION_SCHEMA;
    else this.schema = P.OTHER_SCHEMA;
    if (name === T.END) {
      // `(…).name` has no beginning of its own.
      this.before = P.OTHER;
      this.nameStart = -1;
    }
    this.previous = P.DOT;
  }

  private open(name: number): boolean {
    if (this.depth === MAX_DEPTH) return false;
    let flags = 0;
    if (name !== T.END && !this.starting) {
      const inside = (this.flags & IN_WITH) !== 0 ? P.WITH_LIST : (this.flags & IN_GROUP_BY) !== 0 ? P.GROUP_BY : 0;
      const judged = judgeParenthesis(this.lexer.code, name === T.WORD, this.schema, this.before, inside);
      if (judged === NOT_AN_OPERAND || judged === UNKNOWN_OR_OPERATOR) flags = EXPRESSION_FOLLOWS;
      if (judged === SETS) flags = IN_GROUP_BY;
      else if (judged !== NO_CALL && judged !== NOT_AN_OPERAND)
        this.found.call(this.lexer, judged, this.nameStart, this.schema);
    }
    this.enclosing[this.depth++] = this.flags;
    this.flags = flags;
    this.previous = P.OPEN;
    return true;
  }

  private close(): boolean {
    if (this.depth === 0) return false;
    const flags = this.flags;
    this.flags = this.enclosing[--this.depth] as number;
    this.previous = P.OPERAND;
    if ((flags & EXPRESSION_FOLLOWS) !== 0) this.previous = P.OTHER;
    else if ((flags & EXPLAIN_OPTIONS) !== 0) {
      this.starting = true;
      this.explain = EXPLAIN_WITH_OPTIONS;
      this.previous = P.START;
    }
    return true;
  }
}
