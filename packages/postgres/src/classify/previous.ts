/** The tokens that decide what the next one means. */
import { ENDS_OPERAND, W, wordId } from "./vocabulary.ts";

/** Nothing: a statement begins. */
export const START = 0;
/** The end of an operand: a literal, a name, a closing parenthesis or bracket. */
export const OPERAND = 1;
/** `(` */
export const OPEN = 2;
/** `,` */
export const COMMA = 3;
/** `.` */
export const DOT = 4;
/** `::` */
export const CAST = 5;
/** An operator, or a key word without a rule. */
export const OTHER = 6;
/** NOT directly after an operand, as in `x NOT IN (…)`. */
export const OPERAND_NOT = 7;
/** The key words with rules follow from here. */
const FIRST_WORD = 16;

/** How a name is qualified: not at all. */
export const UNQUALIFIED = 0;
/** With `pg_catalog`. */
export const PG_CATALOG = 1;
/** With `information_schema`. */
export const INFORMATION_SCHEMA = 2;
/** With any other name, or it is a field of an expression. */
export const OTHER_SCHEMA = 3;

/** Where a parenthesis stands: among the names of a WITH. */
export const WITH_LIST = 1;
/** In the list of GROUP BY. */
export const GROUP_BY = 2;

/** The value for a key word with a rule. */
export function word(id: number): number {
  return FIRST_WORD + id;
}

/** The value to remember after the key word of which `code` is known. */
export function afterKeyword(code: number, previous: number): number {
  // After a cast it is a type's name, or part of one.
  if (previous === CAST || (code & ENDS_OPERAND) !== 0) return OPERAND;
  const id = wordId(code);
  if (id === 0) return OTHER;
  return id === W.not && previous === OPERAND ? OPERAND_NOT : FIRST_WORD + id;
}

/** Whether TEMP after this token makes a temporary object. */
export function beforeTemporary(previous: number): boolean {
  switch (previous - FIRST_WORD) {
    case W.create:
    case W.replace:
    case W.local:
    case W.global:
    case W.into:
      return true;
    default:
      return false;
  }
}
