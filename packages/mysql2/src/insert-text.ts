/**
 * Which statements mean the same with many rows in one text as row by row.
 *
 * Only an INSERT or REPLACE of one list of values, each of them a placeholder or a constant. What stands behind it may look at
 * the row and at the one that is there already. What is not known here is left alone: it goes row by row.
 */

/** A text that can have any number of rows. */
export interface InsertText {
  /** The table, as the text names it. */
  readonly table: string;
  /** What stands before the list of values, and what behind it. */
  readonly head: string;
  readonly list: string;
  readonly tail: string;
  /** Placeholders of one row. */
  readonly width: number;
}

/** Longest text that is looked at, in characters. */
const MAX_LENGTH = 10_000;

const SPACE = "[ \\t\\r\\n]*";
const GAP = "[ \\t\\r\\n]+";
/** A name, to its end: what follows is no part of it. */
const NAME = "(?:[A-Za-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*(?![\\w$\\u0080-\\uffff])|`[^`]+`(?!`))";
/** Text in quotes without a placeholder or a backslash, which not every server takes for the same. */
const QUOTED = "'[^'?\\\\]*'";
/** A time of the server is that of the statement, and so the same for all of its rows. */
const TIME = `(?:NOW${SPACE}\\(${SPACE}\\d?${SPACE}\\)|(?:CURRENT|UTC)_TIMESTAMP(?:${SPACE}\\(${SPACE}\\d?${SPACE}\\))?)`;
const VALUE = `(?:\\?|NULL|DEFAULT|TRUE|FALSE|-?\\d+(?:\\.\\d+)?|${QUOTED}|${TIME})`;

const HEAD = new RegExp(
  `^${SPACE}(?:INSERT|REPLACE)${GAP}(?:INTO${GAP})?(${NAME}(?:${SPACE}\\.${SPACE}${NAME})?)${SPACE}` +
    `(?:\\(${SPACE}${NAME}(?:${SPACE},${SPACE}${NAME})*${SPACE}\\)${SPACE})?VALUES?${SPACE}(?=\\()`,
  "i",
);
const LIST = new RegExp(`^\\(${SPACE}${VALUE}(?:${SPACE},${SPACE}${VALUE})*${SPACE}\\)`, "i");
const UPDATE = new RegExp(`^${SPACE}ON${GAP}DUPLICATE${GAP}KEY${GAP}UPDATE${GAP}`, "i");

/** Functions that say the same of a row wherever it stands. */
const FUNCTIONS: ReadonlySet<string> = new Set(
  "abs and coalesce concat current_timestamp greatest if ifnull in least lower not now nullif or round upper utc_timestamp value values".split(
    " ",
  ),
);

/** The parts of a text; undefined where it is not certain to mean the same with many rows. */
export function insertText(text: string): InsertText | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const opened = HEAD.exec(text);
  const [head = "", table = ""] = opened ?? [];
  const [list = ""] = LIST.exec(text.slice(head.length)) ?? [];
  const tail = text.slice(head.length + list.length);
  const width = list.split("?").length - 1;
  if (opened === null || width === 0 || !isEnd(tail)) return undefined;
  return { table, head, list, tail: tail.replace(/[; \t\r\n]+$/, ""), width };
}

/** The text with a number of rows. */
export function withRows({ head, list, tail }: InsertText, count: number): string {
  return `${head}${list}${`, ${list}`.repeat(count - 1)}${tail}`;
}

/** Whether nothing stands behind the values, or what is done with a row that is there already, by means that are known. */
function isEnd(tail: string): boolean {
  if (/^[ \t\r\n]*;?[ \t\r\n]*$/.test(tail)) return true;
  const clause = UPDATE.exec(tail);
  if (clause === null) return false;
  const rest = tail
    .slice(clause[0].length)
    .replaceAll(new RegExp(QUOTED, "g"), " ")
    .replace(/;[ \t\r\n]*$/, "");
  // Comments, variables, placeholders and what is quoted otherwise; names in quotes that could be functions.
  if (!/^[\w$`.,()+*/%=<>!| \t\r\n\u0080-\uffff-]+$/.test(rest) || /--|\/\*|`[ \t\r\n]*\(/.test(rest)) return false;
  const words = rest.matchAll(/([\w$\u0080-\uffff]+)[ \t\r\n]*(\(?)/g);
  return [...words].every(([, word = "", opens]) => {
    const name = word.toLowerCase();
    return name !== "select" && name !== "returning" && (opens === "" || FUNCTIONS.has(name));
  });
}
