/**
 * What a session has that would be lost with its connection: settings, which can be made again elsewhere, and everything
 * else, which cannot.
 */
import type { Dialect } from "@breakwater/core";

/** Texts that begin and end transactions, and leave nothing behind when these have ended. */
const CONTROL = /^(?:begin|start\s+transaction|commit|end|rollback|abort|savepoint|release)\b/i;

/** Texts that need this connection and leave nothing on it. */
const LEAVES_NOTHING =
  /^(?:show|copy|unlisten|deallocate|close|discard\s+(?:plans|sequences|temp|temporary)|set\s+(?:local|constraints|transaction))\b/i;

/** Names of what only tells of this connection. */
const TELLING =
  /\b(?:pg_backend_pid|current_setting|currval|lastval|pg_client_encoding|inet_client_(?:addr|port)|pg_settings)\b/gi;

const SETTING = /^(?:set\s+(?:session\s+)?|reset\s+)(time\s+zone|[\w.]+|"[^"]+")/i;

const ALL_ANEW = /^(?:discard|reset)\s+all\s*$/i;

/** Blanks and comments before the first word. */
const BEFORE_FIRST_WORD = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)+/;

/** What may hide a semicolon, or is not worth reading. */
const HIDING = /--|\/\*|\$\w*\$/;

/** More settings than anybody makes on purpose: their number must not grow with a session's age. */
const MAX_SETTINGS = 100;

export class SessionState {
  readonly #dialect: Dialect;
  // By the name of what is set, in the order of the last time that each was.
  readonly #settings = new Map<string, string>();
  #bound = false;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Whether another connection would do as well, once the settings have been made on it. */
  get movable(): boolean {
    return !this.#bound;
  }

  /** What has been set, as texts that set it again. */
  get settings(): readonly string[] {
    return [...this.#settings.values()];
  }

  /** Whether a text may be sent again elsewhere when its answer is lost: it has changed nothing that is kept. */
  static repeatable(text: string): boolean {
    const rest = text.replace(BEFORE_FIRST_WORD, "").trim();
    const begins = /^(?:begin|start\s+transaction)\b[^;]*;?$/i.test(rest);
    return begins || pieces(rest)?.every((piece) => SETTING.test(piece) || /^show\b/i.test(piece)) === true;
  }

  /** Notes a text of the class `session` that has been carried out. */
  note(text: string, inTransaction: boolean): void {
    const parts = pieces(text.replace(BEFORE_FIRST_WORD, ""));
    if (parts === undefined) this.#bound = true;
    // A setting that a rollback may have undone is not followed any further.
    else for (const part of parts) this.#noteOne(part, inTransaction || (parts.length > 1 && parts.some(controls)));
  }

  #noteOne(text: string, inTransaction: boolean): void {
    if (ALL_ANEW.test(text) && !inTransaction) {
      this.#settings.clear();
      if (/^discard/i.test(text)) this.#bound = false;
      return;
    }
    if (controls(text) || LEAVES_NOTHING.test(text)) return;
    const name = SETTING.exec(text)?.[1]?.toLowerCase().replace(/\s+/g, " ");
    if (name === undefined) {
      // Without these names it would not need this connection.
      if (this.#dialect.classify(text.replace(TELLING, "version")) === "session") this.#bound = true;
    } else if (inTransaction || this.#settings.size >= MAX_SETTINGS) this.#bound = true;
    else {
      this.#settings.delete(name);
      this.#settings.set(name, text);
    }
  }
}

function controls(text: string): boolean {
  return CONTROL.test(text);
}

/** The statements of a text; undefined when it is not certain where they end. */
function pieces(text: string): readonly string[] | undefined {
  if (!text.includes(";")) return [text.trim()];
  if (HIDING.test(text)) return undefined;
  const parts = [""];
  for (const [token] of text.matchAll(/'[^']*'|"[^"]*"|[^'"]/g)) {
    if (token === ";") parts.push("");
    else parts[parts.length - 1] += token;
  }
  // A quote that is left over, or a backslash that may hide one: somebody else counts better.
  if (parts.join(";").length !== text.length || text.includes("\\")) return undefined;
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}
