/**
 * Whether a text asks to commit: the first words of each of its statements, found in one pass from left to right.
 */

/** The next part of a text, at a given place: what has to be skipped as a whole, a word, or one character. */
const PART =
  /\s+|--[^\n\r]*|\/\*|[Ee]'|'|"|\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[^]/y;

const WORD = /^[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*$/;

/** One statement, as far as it has been read. */
interface Scan {
  /** Its first word, in capitals; undefined before it, empty where the statement does not begin with a word. */
  first: string | undefined;
  /** The part before this one, in capitals. */
  previous: string;
  /** How deep in BEGIN ATOMIC … END, a function's body: its END commits nothing, its semicolons end no statement. */
  block: number;
}

/** What the next word of a statement tells. `scan.first` is undefined where it is the statement's first. */
type Tells = (scan: Scan, word: string) => boolean;

/**
 * Whether `text` holds COMMIT, END, COMMIT PREPARED or PREPARE TRANSACTION as a statement, alone or among others. Takes
 * time in proportion to the text's length, whatever stands in it.
 */
export function commits(text: string): boolean {
  return /commit|end|prepare/i.test(text) && anyWord(text, endsTransaction);
}

/**
 * Whether `text`, sent outside a transaction, may commit a part of its work and then fail: a procedure or DO block that
 * commits inside, several statements with a COMMIT among them, or a command that works CONCURRENTLY. An ERROR from such
 * a text does not prove that nothing was kept.
 */
export function commitsInParts(text: string): boolean {
  return /commit|end|prepare|call|do|concurrently/i.test(text) && anyWord(text, mayStopHalfway);
}

function endsTransaction({ first, previous }: Scan, word: string): boolean {
  if (first === undefined) return word === "COMMIT" || word === "END";
  return first === "PREPARE" && previous === "PREPARE" && word === "TRANSACTION";
}

function mayStopHalfway(scan: Scan, word: string): boolean {
  if (scan.first === undefined && (word === "CALL" || word === "DO")) return true;
  return (
    endsTransaction(scan, word) || (scan.first !== undefined && CONCURRENT.has(scan.first) && word === "CONCURRENTLY")
  );
}

/** Commands that have a CONCURRENTLY which commits between its steps. REFRESH has one that does not. */
const CONCURRENT = new Set(["CREATE", "DROP", "REINDEX", "ALTER"]);

function anyWord(text: string, tells: Tells): boolean {
  const scan: Scan = { first: undefined, previous: "", block: 0 };
  for (let at = 0; at < text.length;) {
    PART.lastIndex = at;
    const part = PART.exec(text)?.[0] ?? "";
    at = endOf(text, part, at + Math.max(part.length, 1));
    if (take(scan, part, tells)) return true;
  }
  return false;
}

/** Takes the next part into account; true where it tells what was asked. */
function take(scan: Scan, part: string, tells: Tells): boolean {
  if (/^(?:\s|--|\/\*)/.test(part)) return false;
  if (part === ";") {
    if (scan.block === 0) scan.first = undefined;
    return false;
  }
  const word = WORD.test(part) ? part.toUpperCase() : "";
  if (scan.block === 0 && tells(scan, word)) return true;
  if (scan.first === "CREATE") nest(scan, scan.previous, word);
  scan.first ??= word;
  scan.previous = word;
  return false;
}

function nest(scan: Scan, previous: string, word: string): void {
  if (previous === "BEGIN" && word === "ATOMIC") scan.block++;
  else if (scan.block > 0 && word === "CASE") scan.block++;
  else if (scan.block > 0 && word === "END") scan.block--;
}

/** Where a part ends that is skipped as a whole; what is not closed reaches to the end of the text. */
function endOf(text: string, part: string, at: number): number {
  if (part === "/*") return endOfComment(text, at);
  if (part === "E'" || part === "e'") return endOfEscapeString(text, at);
  // A doubled quote reads as the next string beginning where this one ends, which comes to the same.
  if (part === "'" || part === '"') return after(text, part, at);
  return part.startsWith("$") && part.length > 1 ? after(text, part, at) : at;
}

function after(text: string, end: string, at: number): number {
  const found = text.indexOf(end, at);
  return found < 0 ? text.length : found + end.length;
}

/** Comments nest (PostgreSQL documentation, 4.1.5). */
function endOfComment(text: string, at: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = at;
  for (let depth = 1; depth > 0;) {
    const found = mark.exec(text);
    if (found === null) return text.length;
    depth += found[0] === "/*" ? 1 : -1;
  }
  return mark.lastIndex;
}

function endOfEscapeString(text: string, at: number): number {
  for (let i = at; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "'") return i + 1;
  }
  return text.length;
}
