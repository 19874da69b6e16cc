/**
 * The little language that simulated servers understand. A text is one or more commands with `;` between them; `$1` stands
 * for a value.
 *
 *     get KEY · set KEY VALUE             a register
 *     insert ID · copies ID               rows of which there should be one
 *     add COUNTER NUMBER · count COUNTER  a counter
 *     append LIST ELEMENT · list LIST     a list
 *     begin [serializable] [read-only] · commit · rollback · savepoint NAME · release NAME · rollback to NAME
 *     fail CODE                           an error with that code
 *     work MILLISECONDS                   nothing, slowly
 */
import type { Statement } from "@breakwater/core";

/** What the servers can do; the last ones are the dialect's own. */
export type Verb =
  | "get"
  | "set"
  | "insert"
  | "copies"
  | "add"
  | "count"
  | "append"
  | "list"
  | "begin"
  | "commit"
  | "rollback"
  | "savepoint"
  | "release"
  | "back-to"
  | "fail"
  | "work"
  | "ping"
  | "identify"
  | "life"
  | "status"
  | "end"
  | "position"
  | "probe"
  | "unknown";

/** One command with its values. */
export interface Command {
  readonly verb: Verb;
  readonly key: string;
  readonly value: unknown;
}

interface Template {
  readonly verb: Verb;
  readonly words: readonly string[];
}

const WRITES: ReadonlySet<Verb> = new Set<Verb>(["set", "insert", "add", "append", "identify", "end", "unknown"]);
const SESSION: ReadonlySet<Verb> = new Set<Verb>(["begin", "commit", "rollback", "savepoint", "release", "back-to"]);
const PLAIN: ReadonlySet<string> = new Set(
  (
    "get set insert copies add count append list begin commit rollback savepoint release " +
    "fail work ping identify life status end position probe"
  ).split(" "),
);

/** Whether a command may change something. */
export function isWrite(verb: Verb): boolean {
  return WRITES.has(verb);
}

const MAX_KNOWN = 2_000;
const known = new Map<string, readonly Template[]>();

/** The commands of a text, without their values. */
export function templates(text: string): readonly Template[] {
  let found = known.get(text);
  if (found !== undefined) return found;
  if (known.size >= MAX_KNOWN) known.clear();
  found = text
    .split(";")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map(templateOf);
  known.set(text, found);
  return found;
}

function templateOf(part: string): Template {
  const [first = "", ...words] = part.split(/\s+/);
  const word = first.toLowerCase();
  if (word === "rollback" && words[0]?.toLowerCase() === "to") return { verb: "back-to", words: words.slice(-1) };
  if (word === "select") return { verb: "ping", words };
  return { verb: PLAIN.has(word) ? (word as Verb) : "unknown", words };
}

/** The commands of a statement. */
export function commandsOf({ text, values = [] }: Statement): readonly Command[] {
  return templates(text).map(({ verb, words: [key = "", value = ""] }) => ({
    verb,
    key: String(filled(key, values)),
    value: filled(value, values),
  }));
}

function filled(word: string, values: readonly unknown[]): unknown {
  return word.startsWith("$") ? values[Number(word.slice(1)) - 1] : word;
}

/** What a text needs: any node; the primary; one connection that is kept. */
export function classify(text: string): "read" | "write" | "session" {
  const verbs = templates(text);
  if (verbs.some(({ verb }) => SESSION.has(verb))) return "session";
  return verbs.some(({ verb }) => WRITES.has(verb)) ? "write" : "read";
}

/** Whether a text asks to commit. */
export function commits(text: string): boolean {
  return templates(text).some(({ verb }) => verb === "commit");
}
