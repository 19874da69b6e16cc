/**
 * Tells reads from writes by the text alone, and whether a text commits.
 *
 * The answer is never too free: a text is a read only when every part of it is known to be. It costs time in proportion to
 * the text once, and a look into a map after that.
 */
import type { StatementClass } from "@breakwater/core";
import { statementsOf, type Token, tokensOf } from "./lexer.ts";
import { classOf, isTemporary, wordOf } from "./statement.ts";
import { CALLING_STARTERS, COMMITTING_STARTERS } from "./vocabulary.ts";

/** What is known of a text. */
interface Known {
  readonly class: StatementClass;
  readonly commits: boolean;
  readonly inParts: boolean;
  readonly command: string;
}

/**
 * Says what may be done with a text: `read` may be sent to a replica and repeated, since it changes nothing and means the
 * same there; `session` touches or depends on the state of one connection; `write` is everything else, also what is in
 * doubt. Of several statements the strictest counts: session before write before read.
 */
export function classify(sql: string): StatementClass {
  return know(sql).class;
}

/**
 * Whether a text ends the transaction that is open by committing it: COMMIT, a statement that commits by itself as CREATE
 * and LOCK TABLES do, or one that runs what may, such as CALL.
 */
export function commits(sql: string): boolean {
  return know(sql).commits;
}

/**
 * Whether a text, sent outside a transaction, may keep a part of its work and then fail: each of several statements is
 * committed by itself, and so are those of a procedure.
 */
export function commitsInParts(sql: string): boolean {
  return know(sql).inParts;
}

/** The first word of the text `sql` in capitals, which is what its command is called; empty where it begins with none. */
export function commandOf(sql: string): string {
  return know(sql).command;
}

const RANK: readonly StatementClass[] = ["read", "write", "session"];

/** Longest text that is remembered, in characters, and how many are. */
const MAX_LENGTH = 4_096;
const MAX_TEXTS = 2_048;

// In the order of their last use: the first is forgotten when there are too many.
const known = new Map<string, Known>();

function know(sql: string): Known {
  const found = known.get(sql);
  if (found !== undefined) return found;
  const made = knowAnew(sql);
  if (sql.length > MAX_LENGTH) return made;
  if (known.size >= MAX_TEXTS) {
    for (const [oldest] of known) {
      known.delete(oldest);
      if (known.size < MAX_TEXTS / 2) break;
    }
  }
  known.set(sql, made);
  return made;
}

function knowAnew(sql: string): Known {
  const usual = read(sql, true);
  if (!usual.ambiguous) return usual.known;
  // The server may take backslashes for themselves. A text that makes no sense in that reading is an error there.
  const other = read(sql, false);
  return other.malformed ? usual.known : stricter(usual.known, other.known);
}

function read(sql: string, escapes: boolean): { known: Known; ambiguous: boolean; malformed: boolean } {
  const tokens = tokensOf(sql, escapes);
  const statements = statementsOf(tokens);
  const { ambiguous, malformed, versioned } = tokens;
  const classes = statements.map(classOf);
  // What a server runs of it depends on its version.
  if (malformed || versioned || statements.length === 0) classes.push("write");
  const several = statements.length > 1;
  return {
    ambiguous,
    malformed,
    known: {
      class: RANK.findLast((one) => classes.includes(one)) ?? "write",
      commits: statements.some(ends) || (versioned && tokens.list.some(({ text }) => COMMITTING_STARTERS.has(text))),
      inParts: several || versioned || statements.some(worksInParts),
      command: (wordOf(statements[0]?.find((token) => token.kind === "word")) || "").toUpperCase(),
    },
  };
}

function stricter(one: Known, other: Known): Known {
  return {
    class: RANK.indexOf(one.class) >= RANK.indexOf(other.class) ? one.class : other.class,
    commits: one.commits || other.commits,
    inParts: one.inParts || other.inParts,
    command: one.command,
  };
}

function ends(statement: readonly Token[]): boolean {
  const [first, second, third] = [0, 1, 2].map((at) => wordOf(statement[at])) as [string, string, string];
  if (CALLING_STARTERS.has(first)) return true;
  // Giving back a connection or a chain of transactions is no commit: ROLLBACK AND CHAIN.
  if (first === "create" || first === "drop") return !isTemporary(statement);
  if (first === "xa") return second === "commit" || second === "prepare";
  if (first === "load") return second === "index";
  if (first === "set") return second === "password" || mentionsAutocommit(statement);
  if (first === "analyze")
    return !["select", "with", "format", "update", "delete", "insert", "replace"].includes(second);
  if (first === "start" || first === "stop") return third !== "" || second !== "";
  return COMMITTING_STARTERS.has(first);
}

/** SET autocommit = 1 commits what is open. */
function mentionsAutocommit(statement: readonly Token[]): boolean {
  return statement.some(({ text }) => text.endsWith("autocommit"));
}

function worksInParts(statement: readonly Token[]): boolean {
  const first = wordOf(statement[0]);
  if (CALLING_STARTERS.has(first)) return true;
  if (first === "begin") return statement.length > 1;
  return first === "create" && statement.some((token) => wordOf(token) === "select");
}
