/**
 * The tokens of MySQL and MariaDB, as far as a classification needs them.
 *
 * What depends on the server's settings is read in the way of its defaults, and noted: backslashes in strings
 * (`NO_BACKSLASH_ESCAPES`), double quotes (`ANSI_QUOTES`), comments with a version, whose content a server may run.
 * MySQL 8.4 reference manual, 11.1, 11.2 and 11.7; MariaDB documentation, comment syntax.
 */

/** What a token is. */
export type TokenKind =
  /** A name or key word that is not quoted. */
  | "word"
  /** A name in backticks. */
  | "quoted"
  /** A text in single or double quotes, or a number. */
  | "literal"
  /** `@name`, a variable of the session. */
  | "user variable"
  /** `@@name`, a variable of the session or the server. */
  | "system variable"
  /** `:=` */
  | "assignment"
  /** Any other character. */
  | "sign";

export interface Token {
  readonly kind: TokenKind;
  /** A word or system variable in lower case, a sign as it is; of a quoted name its content in lower case; else empty. */
  readonly text: string;
}

/** A text in tokens. */
export interface Tokens {
  readonly list: readonly Token[];
  /** Whether no server would read it: something is not closed. */
  readonly malformed: boolean;
  /** Whether a string holds a backslash, which not every server takes for an escape. */
  readonly ambiguous: boolean;
  /** Whether it has comments that some servers take for a part of the statement. Their content is among the tokens. */
  readonly versioned: boolean;
}

/** The next part, at a given place: what is skipped, what opens something, a word, a number, or one character. */
const PART =
  /\s+|#|--(?=[^!-\uffff]|$)|\/\*M?!\d*|\/\*|\*\/|@@(?:[\w.$\u0080-\uffff]|`[^`]*`)*|@(?=['"`])|@[\w.$\u0080-\uffff]*|:=|['"`]|[\w$\u0080-\uffff]+|[^]/y;

const NUMBER = /^(?:\d+(?:e\d*)?|0x[\da-f]+|0b[01]+)$/i;

/** Splits a text; `escapes` as without `NO_BACKSLASH_ESCAPES`. Takes time in proportion to the text's length. */
export function tokensOf(sql: string, escapes: boolean): Tokens {
  const list: Token[] = [];
  let [malformed, ambiguous, versioned] = [false, false, false];
  /** How many comments with a version are open; their ends look like those of any other. */
  let open = 0;
  for (let at = 0; at < sql.length;) {
    PART.lastIndex = at;
    const part = PART.exec(sql)?.[0] ?? "";
    at += Math.max(part.length, 1);
    const first = part[0] ?? "";
    if (part.startsWith("/*")) {
      if (part.length > 2) {
        versioned = true;
        open += 1;
        continue;
      }
      const end = sql.indexOf("*/", at);
      malformed ||= end < 0;
      at = end < 0 ? sql.length : end + 2;
    } else if (part === "#" || part === "--") at = endOfLine(sql, at);
    else if (part === "*/" && open > 0) open -= 1;
    else if (first === "'" || first === '"' || first === "`") {
      const end = endOfQuoted(sql, at, first, escapes && first !== "`");
      malformed ||= end < 0;
      const content = sql.slice(at, end < 0 ? sql.length : end - 1);
      ambiguous ||= first !== "`" && content.includes("\\");
      const variable = list.at(-1)?.kind === "user variable" && sql[at - 2] === "@";
      // Under ANSI_QUOTES what stands in double quotes is a name; that it is a call is looked at where it is judged.
      if (!variable)
        list.push(first === "`" ? { kind: "quoted", text: content.toLowerCase() } : { kind: "literal", text: first });
      at = end < 0 ? sql.length : end;
    } else if (part.startsWith("@@")) list.push({ kind: "system variable", text: part.toLowerCase() });
    else if (first === "@") list.push({ kind: "user variable", text: "" });
    else if (part === ":=") list.push({ kind: "assignment", text: "" });
    else if (part === "*/") list.push({ kind: "sign", text: "*" }, { kind: "sign", text: "/" });
    else if (/^[\w$\u0080-\uffff]/.test(part)) {
      list.push(NUMBER.test(part) ? { kind: "literal", text: "" } : { kind: "word", text: part.toLowerCase() });
    } else if (part.trim() !== "") list.push({ kind: "sign", text: part });
  }
  return { list, malformed: malformed || open > 0, ambiguous, versioned };
}

function endOfLine(sql: string, at: number): number {
  const end = sql.indexOf("\n", at);
  return end < 0 ? sql.length : end + 1;
}

/** Behind the closing quote; -1 when there is none. A doubled quote stands for one. */
function endOfQuoted(sql: string, from: number, quote: string, escapes: boolean): number {
  for (let at = from; at < sql.length; at += 1) {
    const character = sql[at];
    if (escapes && character === "\\") at += 1;
    else if (character === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  return -1;
}

/** The statements of a text, each in its tokens; empty ones are left out. */
export function statementsOf({ list }: Tokens): readonly (readonly Token[])[] {
  const statements: Token[][] = [[]];
  for (const token of list) {
    if (token.kind === "sign" && token.text === ";") statements.push([]);
    else statements.at(-1)?.push(token);
  }
  return statements.filter((statement) => statement.length > 0);
}
