/**
 * What kind of statement it is, in few words that do not differ from call to call: `SELECT orders customers`. Pure.
 */
import { tokensOf } from "./tokens.ts";

/** What is said of a statement. */
export interface Summary {
  /** What it does: `SELECT`, `INSERT` … ; `OTHER` for what is none of the known. */
  readonly operation: string;
  /** The operation and the tables, at most 255 characters. */
  readonly text: string;
  /** The table, where there is one and no other. */
  readonly table: string | undefined;
}

const OPERATIONS: ReadonlySet<string> = new Set(
  `SELECT INSERT UPDATE DELETE MERGE VALUES TABLE BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE PREPARE EXECUTE
   DEALLOCATE SET RESET SHOW DISCARD LOCK LISTEN UNLISTEN NOTIFY COPY CALL DO CREATE ALTER DROP TRUNCATE GRANT REVOKE
   COMMENT ANALYZE VACUUM REINDEX CLUSTER CHECKPOINT EXPLAIN DECLARE FETCH MOVE CLOSE REFRESH REPLACE USE DESCRIBE LOAD`.split(
    /\s+/,
  ),
);
/** What a WITH leads to. */
const MAIN: ReadonlySet<string> = new Set(["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE"]);
/** After these stands a table. */
const BEFORE_TABLE: ReadonlySet<string> = new Set([
  "FROM",
  "JOIN",
  "INTO",
  "UPDATE",
  "TABLE",
  "COPY",
  "TRUNCATE",
  "USING",
]);
/** These may stand between. */
const BETWEEN: ReadonlySet<string> = new Set(["ONLY", "TABLE", "IF", "NOT", "EXISTS", "LATERAL"]);
/** These make of `FROM` and `UPDATE` something else: `IS DISTINCT FROM`, `FOR UPDATE`, `DO UPDATE`, `ON UPDATE`. */
const NO_TABLE_AFTER: ReadonlySet<string> = new Set(["DISTINCT", "FOR", "DO", "ON", "KEY"]);
const MAX_LENGTH = 255;
const MAX_TABLES = 5;
/** A statement is not read further than this. */
const MAX_READ = 8_000;
const NAME = /^[\p{L}_][\p{L}\p{N}_$]{0,62}$/u;

/** What kind of statement a text is. */
export function summaryOf(sql: string, ansiQuotes: boolean): Summary {
  const head = sql.length > MAX_READ ? sql.slice(0, MAX_READ) : sql;
  const tokens = tokensOf(head, ansiQuotes) ?? tokensOf(wordsBefore(head), ansiQuotes) ?? [];
  const words = tokens.map(({ kind, text }) => (kind === "word" ? text.toUpperCase() : ""));
  const first = words.find((word) => word !== "") ?? "";
  const operation =
    first === "WITH"
      ? mainOf(
          tokens.map(({ text }) => text),
          words,
        )
      : first;
  const known = OPERATIONS.has(operation) ? operation : "OTHER";
  const tables: string[] = [];
  for (const [index, word] of words.entries()) {
    if (tables.length >= MAX_TABLES) break;
    if (!BEFORE_TABLE.has(word) || NO_TABLE_AFTER.has(words[index - 1] ?? "")) continue;
    const table = tableAt(tokens, words, index + 1, word);
    if (table !== undefined && !tables.includes(table)) tables.push(table);
  }
  let text = known;
  for (const table of tables) if (text.length + 1 + table.length <= MAX_LENGTH) text += ` ${table}`;
  return { operation: known, text, table: tables.length === 1 ? tables[0] : undefined };
}

/** A text up to its first quote: what comes after may be data. */
function wordsBefore(sql: string): string {
  const end = sql.search(/['"`$]|\/\*/);
  return end === -1 ? "" : sql.slice(0, end);
}

/** What a statement with WITH does in the end. */
function mainOf(texts: readonly string[], words: readonly string[]): string {
  let depth = 0;
  for (const [index, text] of texts.entries()) {
    if (text === "(") depth += 1;
    else if (text === ")") depth -= 1;
    else if (depth === 0 && MAIN.has(words[index] ?? "")) return words[index] ?? "";
  }
  return "SELECT";
}

function tableAt(
  tokens: readonly { readonly kind: string; readonly text: string }[],
  words: readonly string[],
  start: number,
  before: string,
): string | undefined {
  let at = start;
  while (BETWEEN.has(words[at] ?? "")) at += 1;
  const parts: string[] = [];
  for (; ; at += 2) {
    const token = tokens[at];
    const name = token?.kind === "quoted" ? token.text.slice(1, -1) : token?.text;
    if (token === undefined || (token.kind !== "word" && token.kind !== "quoted")) return undefined;
    // A keyword is no table; a name of many characters that no identifier has may be anything.
    if (name === undefined || !NAME.test(name) || (token.kind === "word" && OPERATIONS.has(words[at] ?? "")))
      return undefined;
    parts.push(name);
    if (tokens[at + 1]?.text !== ".") break;
  }
  // A function stands there: `FROM generate_series(1, 3)`.
  if (tokens[at + 1]?.text === "(" && before !== "INTO" && before !== "TABLE" && before !== "COPY") return undefined;
  return parts.join(".");
}

/**
 * A statement without its data: literals are `?`, lists of them one, comments gone. Undefined where it is not plain what is
 * data.
 */
export function sanitized(sql: string, ansiQuotes: boolean): string | undefined {
  if (sql.length > MAX_READ) return undefined;
  const tokens = tokensOf(sql, ansiQuotes);
  return tokens
    ?.map(({ text }) => text)
    .join(" ")
    .replaceAll(/\? (?:, \? ?)+/g, "? ")
    .replaceAll(/\s*([,;)])/g, "$1")
    .replaceAll(/\s*\.\s*/g, ".")
    .replaceAll(/\(\s+/g, "(")
    .trim();
}
