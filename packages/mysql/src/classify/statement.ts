/**
 * What one statement does, found in one pass over its tokens. The first word says whether it can be a read at all; after
 * that it stays one until a token proves otherwise.
 */
import type { StatementClass } from "@breakwater/core";
import type { Token } from "./lexer.ts";
import * as V from "./vocabulary.ts";

const NONE: Token = { kind: "sign", text: "" };

/** The class of one statement. In doubt it is a write. */
export function classOf(statement: readonly Token[]): StatementClass {
  let at = 0;
  // (SELECT …) UNION (SELECT …) begins with parentheses.
  while (isSign(statement[at], "(")) at += 1;
  const first = wordOf(statement[at]);
  switch (first) {
    case "select":
    case "values":
    case "with":
    case "do":
    case "table":
      return expressionsOf(statement, at);
    case "explain":
    case "describe":
    case "desc":
      return explained(statement, at + 1);
    case "analyze":
      // MariaDB's ANALYZE SELECT runs the statement; ANALYZE TABLE writes.
      return ["select", "with", "format"].includes(wordOf(statement[at + 1])) ? explained(statement, at + 1) : "write";
    case "show":
      return shown(statement, at + 1);
    case "create":
    case "drop":
    case "alter":
      return isTemporary(statement, at) ? "session" : "write";
    default:
      return V.SESSION_STARTERS.has(first) ? "session" : "write";
  }
}

/** Whether a statement makes, changes or removes a temporary table. */
export function isTemporary(statement: readonly Token[], at = 0): boolean {
  const [second, third, fourth] = [1, 2, 3].map((more) => wordOf(statement[at + more]));
  return second === "temporary" || (second === "or" && third === "replace" && fourth === "temporary");
}

function explained(statement: readonly Token[], from: number): StatementClass {
  let at = from;
  for (; at < statement.length; at += 1) {
    const word = wordOf(statement[at]);
    if (word === "format") at += 2;
    else if (!["analyze", "extended", "partitions"].includes(word)) break;
  }
  const word = wordOf(statement[at]);
  if (word === "for" || ["insert", "update", "delete", "replace"].includes(word)) return "write";
  // Without a statement it describes a table.
  if (["select", "with", "values", "table"].includes(word) || isSign(statement[at], "("))
    return classOf(statement.slice(at));
  return "read";
}

function shown(statement: readonly Token[], from: number): StatementClass {
  const word = wordOf(statement[from]);
  const next = wordOf(statement[from + 1]);
  if (V.SHOWN_OF_SESSION.has(word)) return "session";
  if (word === "full" && next === "processlist") return "write";
  if (["table", "procedure", "function"].includes(word) && ["status", "code"].includes(next)) return "write";
  return V.SHOWN_EVERYWHERE.has(word) ? expressionsOf(statement, from) : "write";
}

/** A statement that reads, unless one of its tokens says otherwise. */
function expressionsOf(statement: readonly Token[], from: number): StatementClass {
  let found: StatementClass = "read";
  let names = new CommonNames();
  for (let at = from; at < statement.length; at += 1) {
    const token = statement[at] ?? NONE;
    const told = tokenClass(statement, at, token, names);
    names.pass(token);
    if (told === "session") return told;
    if (told === "write") found = told;
  }
  return found;
}

/** Follows a WITH: its names may have lists of columns, which look like calls. */
class CommonNames {
  #depth = 0;
  /** At which depths a WITH waits for the statement that it belongs to. */
  readonly #open = new Set<number>();
  #expected = false;

  /** Whether the next name is one that WITH defines. */
  get expected(): boolean {
    return this.#expected;
  }

  pass(token: Token): void {
    const word = wordOf(token);
    if (isSign(token, "(")) this.#depth += 1;
    else if (isSign(token, ")")) this.#depth -= 1;
    if (word === "with") this.#open.add(this.#depth);
    else if (["select", "values", "table"].includes(word)) this.#open.delete(this.#depth);
    const begins = word === "with" || word === "recursive" || isSign(token, ",");
    this.#expected = begins && this.#open.has(this.#depth);
  }
}

function tokenClass(
  statement: readonly Token[],
  at: number,
  token: Token,
  names: CommonNames,
): StatementClass | undefined {
  const { kind, text } = token;
  if (kind === "user variable" || kind === "system variable" || kind === "assignment") return "session";
  const before = statement[at - 1] ?? NONE;
  const next = statement[at + 1] ?? NONE;
  const qualified = isSign(before, ".");
  // Under ANSI_QUOTES `"f"(1)` is the call of f.
  if (kind === "literal") return text === '"' && isSign(next, "(") ? "write" : undefined;
  if (kind !== "word" && kind !== "quoted") return undefined;
  const told = schemaClass(text, before, next, statement[at - 2]);
  if (told !== undefined) return told;
  if (kind === "word" && !qualified) {
    const keyword = keywordClass(text, next, wordOf(before));
    if (keyword !== undefined) return keyword;
  }
  // Oracle's way: sequence.nextval
  if (qualified && (text === "nextval" || text === "currval")) return text === "nextval" ? "write" : "session";
  if (!isSign(next, "(") || names.expected) return undefined;
  return callClass(text, kind === "word" && !qualified, wordOf(before));
}

function callClass(name: string, plain: boolean, before: string): StatementClass | undefined {
  if (!plain) return "write";
  if (V.SESSION_FUNCTIONS.has(name)) return "session";
  if (V.WRITE_FUNCTIONS.has(name)) return "write";
  if (V.HARMLESS.has(name) || V.NO_CALLS.has(name)) return undefined;
  // … AS name (column, …)
  return before === "as" ? undefined : "write";
}

/** Key words that say what a SELECT is or does besides reading. */
function keywordClass(word: string, next: Token, before: string): StatementClass | undefined {
  switch (word) {
    case "into":
      return next.kind === "user variable" ? "session" : "write";
    case "update":
    case "delete":
    case "procedure":
      return before === "show" || before === "create" ? undefined : "write";
    case "insert":
    case "replace":
      return isSign(next, "(") ? undefined : "write";
    case "share":
      return before === "for" ? "write" : undefined;
    case "lock":
      return wordOf(next) === "in" ? "write" : undefined;
    case "next":
      return wordOf(next) === "value" ? "write" : undefined;
    case "previous":
      return wordOf(next) === "value" ? "session" : undefined;
    case "current_role":
      return "session";
    default:
      return undefined;
  }
}

/** Views that answer for one server. */
function schemaClass(name: string, before: Token, next: Token, schema: Token | undefined): StatementClass | undefined {
  if (isSign(next, ".") && !isSign(before, ".") && V.NODE_SCHEMAS.has(name)) return "write";
  if (!isSign(before, ".") || schema?.text !== "information_schema") return undefined;
  return V.NODE_VIEWS.has(name) || name.startsWith("innodb_") ? "write" : undefined;
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === "sign" && token.text === sign;
}

/** A word in lower case; empty for any other token. */
export function wordOf(token: Token | undefined): string {
  return token?.kind === "word" ? token.text : "";
}
