/** What a scan found, and how it is put into a class. */
import { SESSION_CALL, SYSTEM_CALL, WRITE_CALL } from "./call.ts";
import { writePrefixes } from "./effects.ts";
import { DOT, END, Lexer, QUOTED, WORD } from "./lexer.ts";
import { INFORMATION_SCHEMA, UNQUALIFIED } from "./previous.ts";

/** How a statement may be treated, from the most to the least free. */
export type StatementClass = "read" | "write" | "session";

/** What is known of a text. */
export interface Inspection {
  /** The class, functions that are not built in taken for unsafe. */
  readonly class: StatementClass;
  /** The class, were all of `unknownFunctions` harmless. */
  readonly classIfHarmless: StatementClass;
  /**
   * Functions that the text may call and that are not built in: each once, in order, qualified as in the text, spelled so
   * that PostgreSQL's `to_regproc` finds them. A name that turns out to be no function at all is a type and harmless.
   */
  readonly unknownFunctions: readonly string[];
  /** What decided the class, for a log: a few words, without any literal of the text. */
  readonly reason: string;
}

const READ: Inspection = Object.freeze({
  class: "read",
  classIfHarmless: "read",
  unknownFunctions: Object.freeze([]),
  reason: "nothing but known reads",
});

/** Collects the effects that a scan meets; of each kind the first is remembered. */
export class Findings {
  /** Whether no PostgreSQL server would read the text. */
  malformed = false;
  /** Whether the text reads differently under `standard_conforming_strings = off`. */
  ambiguous = false;
  private sessionReason = "";
  private writeReason = "";
  private unknown: Set<string> | undefined;

  /** Notes something that belongs to one connection; `lexer` stands on its name. */
  session(what: string, lexer: Lexer | undefined): void {
    if (this.sessionReason === "") this.sessionReason = describe(what, lexer);
  }

  /** Notes something that writes, or may; `lexer` stands on its name. */
  write(what: string, lexer: Lexer | undefined): void {
    if (this.writeReason === "") this.writeReason = describe(what, lexer);
  }

  /** Notes a name of the system's by how it begins; `lexer` stands on it. */
  systemName(lexer: Lexer): void {
    const { sql, start, end } = lexer;
    // Nearly every word ends here.
    if (end - start < 8 || sql.charCodeAt(start + 2) !== 95 || (sql.charCodeAt(start) | 0x20) !== 112) return;
    const name = sql.slice(start, end).toLowerCase();
    if (name.startsWith("pg_temp_") || name.startsWith("pg_toast_temp_")) this.session("temporary schema", undefined);
    else if (name.startsWith("pg_stat_") || name.startsWith("pg_statio_")) this.write("system name", lexer);
  }

  /** Notes a call judged by `judgeParenthesis`; `lexer` stands on the function's name, which begins at `from`. */
  call(lexer: Lexer, judged: number, from: number, schema: number): void {
    if (judged === SESSION_CALL) this.session("function", lexer);
    else if (judged === WRITE_CALL || judged === SYSTEM_CALL) this.write("function", lexer);
    else {
      const { sql, start, end } = lexer;
      const name = sql.slice(start, end).toLowerCase();
      if (schema === INFORMATION_SCHEMA && name.startsWith("_pg_")) return;
      if (name.startsWith("pg_") || writePrefixes.some((prefix) => name.startsWith(prefix)))
        this.write("function", lexer);
      else (this.unknown ??= new Set()).add(spell(sql, schema === UNQUALIFIED || from < 0 ? undefined : from, lexer));
    }
  }

  /** The strictest of what was found. */
  inspection(): Inspection {
    const { malformed, sessionReason, writeReason, unknown } = this;
    if (malformed) {
      const strictest = sessionReason !== "" ? "session" : "write";
      return { class: strictest, classIfHarmless: strictest, unknownFunctions: [], reason: "malformed text" };
    }
    if (sessionReason === "" && writeReason === "" && unknown === undefined) return READ;
    const known = sessionReason !== "" ? "session" : writeReason !== "" ? "write" : "read";
    const unknownFunctions = unknown === undefined ? [] : [...unknown];
    return {
      class: known === "read" ? "write" : known,
      classIfHarmless: known,
      unknownFunctions,
      reason: sessionReason || writeReason || `unknown function ${unknownFunctions[0]}`,
    };
  }
}

/** The stricter of two readings of one text. */
export function stricter(one: Inspection, other: Inspection): Inspection {
  const [first, second] = rank(one.class) >= rank(other.class) ? [one, other] : [other, one];
  return {
    class: first.class,
    classIfHarmless:
      rank(one.classIfHarmless) >= rank(other.classIfHarmless) ? one.classIfHarmless : other.classIfHarmless,
    unknownFunctions: [...new Set([...first.unknownFunctions, ...second.unknownFunctions])],
    reason: first.reason,
  };
}

function rank(statementClass: StatementClass): number {
  return statementClass === "read" ? 0 : statementClass === "write" ? 1 : 2;
}

function describe(what: string, lexer: Lexer | undefined): string {
  // A name is at most 63 bytes long; what is longer is cut like the server does.
  return lexer === undefined ? what : `${what} ${lexer.sql.slice(lexer.start, Math.min(lexer.end, lexer.start + 63))}`;
}

/** The name that ends where `lexer` stands, folded and quoted like an identifier in a catalog. */
function spell(sql: string, from: number | undefined, lexer: Lexer): string {
  if (from === undefined) return part(sql.slice(lexer.start, lexer.end), sql.charCodeAt(lexer.start - 1) === 34);
  const parts = new Lexer();
  parts.reset(sql.slice(from, sql.charCodeAt(lexer.start - 1) === 34 ? lexer.end + 1 : lexer.end), false);
  let spelled = "";
  for (let kind = parts.next(); kind !== END; kind = parts.next()) {
    if (kind === WORD || kind === QUOTED) spelled += part(parts.sql.slice(parts.start, parts.end), kind === QUOTED);
    else if (kind === DOT) spelled += ".";
    else break;
  }
  return spelled;
}

function part(text: string, quoted: boolean): string {
  if (quoted) return /^[a-z_][a-z0-9_$]*$/.test(text) ? text : `"${text}"`;
  const folded = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return /^[a-z_][a-z0-9_$]*$/.test(folded) ? folded : `"${folded}"`;
}
