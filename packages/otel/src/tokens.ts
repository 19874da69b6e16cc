/**
 * The words of a statement, without what its author put into it as data. Pure.
 */

/** One piece of a statement; texts of literals and comments are not kept. */
export interface Token {
  readonly kind: "word" | "quoted" | "literal" | "parameter" | "other";
  /** As it stands there; `?` for a literal. */
  readonly text: string;
}

/**
 * Statements in which it is not plain where a literal ends are not taken apart: undefined. `ansiQuotes` says that double
 * quotes are around names; elsewhere they are around data.
 */
export function tokensOf(sql: string, ansiQuotes: boolean): readonly Token[] | undefined {
  const tokens: Token[] = [];
  const pattern = ansiQuotes ? ANSI : OTHER;
  pattern.lastIndex = 0;
  while (pattern.lastIndex < sql.length) {
    const at = pattern.lastIndex;
    const found = pattern.exec(sql);
    const groups = found?.groups;
    if (found === null || groups === undefined) return undefined;
    const [text] = found;
    if (groups["blank"] !== undefined || groups["comment"] !== undefined) continue;
    if (groups["open"] !== undefined) {
      const end = endOfComment(sql, at);
      if (end === undefined) return undefined;
      pattern.lastIndex = end;
      continue;
    }
    if (groups["dollar"] !== undefined) {
      const end = sql.indexOf(text, at + text.length);
      if (end === -1) return undefined;
      pattern.lastIndex = end + text.length;
      tokens.push(LITERAL);
    } else if (groups["literal"] !== undefined) {
      // Whether a backslash hides the quote after it depends on the server's settings.
      if (text.includes("\\")) return undefined;
      tokens.push(LITERAL);
    } else if (groups["number"] !== undefined) tokens.push(LITERAL);
    else if (groups["parameter"] !== undefined) tokens.push({ kind: "parameter", text });
    else if (groups["quoted"] !== undefined) tokens.push({ kind: "quoted", text });
    else if (groups["word"] !== undefined) tokens.push({ kind: "word", text });
    else if (text === "'" || text === '"' || text === "`") return undefined;
    else tokens.push({ kind: "other", text });
  }
  return tokens;
}

const LITERAL: Token = { kind: "literal", text: "?" };

const COMMON = String.raw`(?<blank>\s+)|(?<open>/\*)|`;
const REST = [
  String.raw`(?<number>(?:0[xob][\da-f_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d+)?))`,
  String.raw`(?<word>[\p{L}_][\p{L}\p{N}_$]*)`,
  String.raw`(?<operator>::|:=|[<>=!~|&#@^+*%-]+|[\s\S])`,
].join("|");

const ANSI = new RegExp(
  `${COMMON}${String.raw`(?<comment>--[^\n]*)|(?<parameter>\$\d+|\?)|(?<dollar>\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$)|(?<literal>(?:[enxb]|u&)?'(?:[^']|'')*')|(?<quoted>(?:u&)?"(?:[^"]|"")*"|`}\`[^\`]*\`)|${REST}`,
  "iuy",
);
const OTHER = new RegExp(
  `${COMMON}${String.raw`(?<comment>--[^\n]*|#[^\n]*)|(?<parameter>\$\d+|\?)|(?<dollar>\$never\$)|(?<literal>(?:[nxb]|_\w+\s*)?'(?:[^']|'')*'|"(?:[^"]|"")*")|(?<quoted>`}\`[^\`]*\`)|${REST}`,
  "iuy",
);

/** Where a comment ends that begins here, others inside it counted. */
function endOfComment(sql: string, at: number): number | undefined {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = at;
  let depth = 0;
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return undefined;
}
