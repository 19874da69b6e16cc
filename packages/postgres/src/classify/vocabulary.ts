/**
 * What is known of a word, found without copying it out of the text.
 *
 * Every key word and every known function and view is one entry of a hash table whose value is a set of bits. The lexer
 * computes the hash while it reads the word, so that a lookup costs a few comparisons and no allocation.
 */
import { columnNames, reserved, safeFunctions, typeFunctionNames, unreserved } from "./catalog.ts";
import {
  sequenceColumns,
  sessionFunctions,
  sessionRelations,
  words,
  writeFunctions,
  writeRelations,
} from "./effects.ts";

/** A key word of the grammar, of whatever category. */
export const KEYWORD = 1;
/** A key word that cannot name a function: a parenthesis after it is never a call. */
export const NEVER_CALLED = 2;
/** A built-in function that is harmless in a read. */
export const SAFE_FUNCTION = 4;
/** A function whose effect or answer belongs to one connection. */
export const SESSION_FUNCTION = 8;
/** A function that writes, or answers from one node's state. */
export const WRITE_FUNCTION = 16;
/** A view of one connection's state. */
export const SESSION_RELATION = 32;
/** A view of one node's state. */
export const WRITE_RELATION = 64;
/** A column of sequences. */
export const SEQUENCE_COLUMN = 128;
/** A reserved word that ends the list of a WITH or of GROUP BY that it follows. */
export const ENDS_LIST = 256;
/** A key word that ends an operand. */
export const ENDS_OPERAND = 512;
/** A key word with a rule of its own wherever it stands. */
export const RULED = 1024;

/** Below are the flags above; the rest is the number of a named word. */
const ID_SHIFT = 11;

/** Words that the rules know by name. */
export const W = {
  select: 1,
  values: 2,
  table: 3,
  with: 4,
  recursive: 5,
  explain: 6,
  analyze: 7,
  analyse: 8,
  verbose: 9,
  insert: 10,
  update: 11,
  delete: 12,
  merge: 13,
  into: 14,
  for: 15,
  no: 16,
  share: 17,
  key: 18,
  as: 19,
  not: 20,
  on: 21,
  distinct: 22,
  group: 23,
  order: 24,
  partition: 25,
  by: 26,
  rollup: 27,
  cube: 28,
  sets: 29,
  grouping: 30,
  fetch: 31,
  first: 32,
  next: 33,
  join: 34,
  inner: 35,
  outer: 36,
  left: 37,
  right: 38,
  full: 39,
  cross: 40,
  natural: 41,
  ilike: 42,
  time: 43,
  zone: 44,
  operator: 45,
  using: 46,
  varying: 47,
  character: 48,
  char: 49,
  nchar: 50,
  bit: 51,
  temp: 52,
  temporary: 53,
  create: 54,
  replace: 55,
  local: 56,
  global: 57,
  all: 58,
  materialized: 59,
  pg_catalog: 60,
  information_schema: 61,
} as const;

/** The named word that a set of bits stands for, or 0 for any other word. */
export function wordId(code: number): number {
  return code >>> ID_SHIFT;
}

const codes = new Map<string, number>();

function mark(names: readonly string[], bits: number): void {
  for (const name of names) codes.set(name, (codes.get(name) ?? 0) | bits);
}

mark([...reserved, ...columnNames], KEYWORD | NEVER_CALLED);
mark([...typeFunctionNames, ...unreserved], KEYWORD);
mark(safeFunctions, SAFE_FUNCTION);
mark(sessionFunctions, SESSION_FUNCTION);
mark(writeFunctions, WRITE_FUNCTION);
mark(sessionRelations, SESSION_RELATION);
mark(writeRelations, WRITE_RELATION);
mark(sequenceColumns, SEQUENCE_COLUMN);
mark(words("select table having window order limit offset fetch for union intersect except"), ENDS_LIST);
// After `WITH ORDINALITY`, an alias can follow.
mark(words("true false null end ordinality"), ENDS_OPERAND);
mark(words("values with by into insert update delete merge no share key temp temporary"), RULED);
// Reserved since PostgreSQL 16 but never followed by a parenthesis; before, it may name a function.
codes.set("system_user", KEYWORD);
for (const [name, index] of Object.entries(W)) mark([name], index << ID_SHIFT);

const SLOTS = 1 << 14;
const slots = new Uint16Array(SLOTS);
const starts: number[] = [0];
const values: number[] = [0];
let longest = 0;

/** One character folded: ASCII letters to lower case, other characters of identifiers to themselves or to unused codes. */
export function fold(char: number): number {
  return char | 0x20;
}

/** Start of a word's hash. */
export const HASH_SEED = 17;

/** The hash with one more folded character; both the lexer and the table use it. */
export function mix(hash: number, folded: number): number {
  return (Math.imul(hash, 31) + folded) | 0;
}

const characters: number[] = [];
for (const [name, code] of codes) {
  let hash = HASH_SEED;
  for (let index = 0; index < name.length; index++) hash = mix(hash, fold(name.charCodeAt(index)));
  let slot = spread(hash);
  while (slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
  slots[slot] = values.length;
  values.push(code);
  for (let index = 0; index < name.length; index++) characters.push(name.charCodeAt(index));
  starts.push(characters.length);
  longest = Math.max(longest, name.length);
}
const letters = Uint8Array.from(characters);
const offsets = Int32Array.from(starts);
const bits = Int32Array.from(values);

function spread(hash: number): number {
  return (Math.imul(hash, 0x9e3779b1) >>> 18) & (SLOTS - 1);
}

/**
 * What is known of the word between two positions of a text, as a set of bits; 0 when nothing is.
 *
 * @param exact whether letters must match as written (a quoted identifier) or in any case
 */
export function lookUp(sql: string, start: number, end: number, hash: number, exact: boolean): number {
  const length = end - start;
  if (length > longest) return 0;
  for (let slot = spread(hash); ; slot = (slot + 1) & (SLOTS - 1)) {
    const entry = slots[slot] as number;
    if (entry === 0) return 0;
    const from = offsets[entry - 1] as number;
    if ((offsets[entry] as number) - from !== length) continue;
    let index = 0;
    for (; index < length; index++) {
      const char = sql.charCodeAt(start + index);
      const letter = letters[from + index] as number;
      // Only ASCII capitals fold: other letters that a locale would fold are part of no known name.
      if (char !== letter && (exact || char < 65 || char > 90 || char + 32 !== letter)) break;
    }
    if (index === length) return bits[entry] as number;
  }
}
