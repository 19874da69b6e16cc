/**
 * Decides what a parenthesis after a name is.
 *
 * What decides is the token before the name. In PostgreSQL's grammar no expression follows directly on an operand, so in
 * `x f(` the parenthesis belongs to an alias or a clause, or the text is a syntax error; an expression follows on a closing
 * parenthesis only after `OPERATOR(…)` and `DISTINCT ON (…)`. A key word that is not reserved may name a function, so its
 * special uses are told by their neighbours one by one, and whatever is left counts as a call.
 */
import * as P from "./previous.ts";
import * as V from "./vocabulary.ts";

const { W } = V;

/** A column list, a type's modifiers, a clause, or an operand in parentheses. */
export const NO_CALL = 0;
/** As NO_CALL, and an expression may follow directly on the closing parenthesis. */
export const NOT_AN_OPERAND = 1;
/** GROUPING SETS, whose elements are again those of GROUP BY. */
export const SETS = 2;
/** The call of a function of the database or of nobody knows whom. */
export const UNKNOWN_CALL = 3;
/** `OPERATOR(…)` or the call of a function of that name. */
export const UNKNOWN_OR_OPERATOR = 7;
/** The call of a function that the system defines, though none that is known to be harmless. */
export const SYSTEM_CALL = 4;
/** The call of a function that belongs to one connection. */
export const SESSION_CALL = 5;
/** The call of a function that writes or answers from one node's state. */
export const WRITE_CALL = 6;

/**
 * Tells what the parenthesis after a name is.
 *
 * @param code what is known of the name
 * @param unquoted whether the name is without quotes and qualifiers, so that it may be a key word
 * @param schema what it is qualified with
 * @param before the token before the name and its qualifiers
 * @param inside the list that the name stands in, if it is one with rules
 */
export function judgeParenthesis(
  code: number,
  unquoted: boolean,
  schema: number,
  before: number,
  inside: number,
): number {
  const id = unquoted && schema === P.UNQUALIFIED && (code & V.KEYWORD) !== 0 ? V.wordId(code) : 0;
  if (before === P.OPERAND) return id === W.operator ? NOT_AN_OPERAND : NO_CALL;
  if (before === P.CAST || before === P.word(W.as)) return NO_CALL;
  if (unquoted && schema === P.UNQUALIFIED && (code & V.NEVER_CALLED) !== 0) {
    return id === W.on && before === P.word(W.distinct) ? NOT_AN_OPERAND : NO_CALL;
  }
  if (inside === P.WITH_LIST && namesWith(id, before)) return NO_CALL;
  if (id !== 0) {
    const special = clause(id, before, inside);
    if (special !== UNKNOWN_CALL) return special;
  }
  if ((code & V.SESSION_FUNCTION) !== 0) return SESSION_CALL;
  if ((code & V.WRITE_FUNCTION) !== 0) return WRITE_CALL;
  if (schema === P.OTHER_SCHEMA || schema === P.INFORMATION_SCHEMA) return UNKNOWN_CALL;
  if ((code & V.SAFE_FUNCTION) !== 0) return NO_CALL;
  return schema === P.PG_CATALOG ? SYSTEM_CALL : UNKNOWN_CALL;
}

/** Whether the name is that of a WITH query with its columns, or `NOT MATERIALIZED (`. */
function namesWith(id: number, before: number): boolean {
  if (before === P.COMMA || before === P.word(W.with) || before === P.word(W.recursive)) return true;
  return id === W.materialized && before === P.word(W.not);
}

/** What a key word with a rule, followed by a parenthesis, is; UNKNOWN_CALL when it may be a call. */
function clause(id: number, before: number, inside: number): number {
  switch (id) {
    case W.by:
      return is(before, W.group, W.order, W.partition) ? NO_CALL : UNKNOWN_CALL;
    case W.sets:
      return before === P.word(W.grouping) ? SETS : UNKNOWN_CALL;
    case W.rollup:
    case W.cube:
      return inside === P.GROUP_BY && (before === P.COMMA || before === P.OPEN || is(before, W.by, W.all, W.distinct))
        ? NO_CALL
        : UNKNOWN_CALL;
    case W.join:
      return is(before, W.inner, W.outer, W.left) ||
        is(before, W.right, W.full, W.cross) ||
        before === P.word(W.natural)
        ? NO_CALL
        : UNKNOWN_CALL;
    case W.ilike:
      return before === P.OPERAND_NOT ? NO_CALL : UNKNOWN_CALL;
    case W.zone:
      return before === P.word(W.time) ? NO_CALL : UNKNOWN_CALL;
    case W.first:
    case W.next:
      return before === P.word(W.fetch) ? NO_CALL : UNKNOWN_CALL;
    case W.varying:
      return is(before, W.character, W.char, W.nchar) || before === P.word(W.bit) ? NO_CALL : UNKNOWN_CALL;
    case W.operator:
      return before === P.word(W.using) ? NOT_AN_OPERAND : UNKNOWN_OR_OPERATOR;
    default:
      return UNKNOWN_CALL;
  }
}

function is(before: number, first: number, second: number, third: number): boolean {
  const id = before - P.word(0);
  return id === first || id === second || id === third;
}
