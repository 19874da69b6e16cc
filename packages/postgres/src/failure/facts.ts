/**
 * Reads what an error says of itself. Errors come from drivers, sockets and users' own streams: any property may be
 * missing, of another type, or throw when it is read.
 */
import type { Severity } from "./row.ts";

/** What an error says of itself, as far as it could be read. */
export interface Facts {
  readonly code: string;
  readonly message: string;
  readonly routine: string;
  readonly syscall: string;
  readonly name: string;
  readonly severity: Severity;
  /** Whether `code` is an SQLSTATE. */
  readonly sqlstate: boolean;
}

/**
 * ERROR, FATAL and PANIC as PostgreSQL's message catalogues translate them (postgres-15.mo of Debian 12). The protocol
 * also carries the untranslated word, but `pg` does not pass it on. A word that is not listed counts as unknown.
 */
const ERROR_WORDS = new Set(
  "ERROR FEHLER ERREUR ERRORE ERRO შეცდომა 오류 ОШИБКА FEL ПОМИЛКА 错误 エラー 錯誤 BŁĄD HATA".split(" "),
);
const FATAL_WORDS = new Set(
  (
    "FATAL PANIC PANIK FATALE PANICO ფატალური პანიკა 치명적오류 손상 ВАЖНО ПАНИКА FATALT ФАТАЛЬНО ПАНІКА 致命错误 " +
    "比致命错误还过分的错误 FATALNY PANIKA ÖLÜMCÜL KRITIEK"
  ).split(" "),
);

/**
 * Codes that the server raises while it ends the connection: fatal unless it says ERROR in a known language
 * (PostgreSQL sources: postgres.c, postmaster.c, auth.c).
 */
const FATAL_CODES = new Set(["57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04", "28P01"]);

/** Five characters as the standard has them. Names of system errors look alike (EPIPE), but no class begins with E. */
const SQLSTATE = /^[0-9A-DF-Z][0-9A-Z]{4}$/;

/** A property, or undefined where there is none or reading it throws. */
export function peek(value: unknown, key: string): unknown {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return undefined;
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function text(value: unknown, key: string): string {
  const found = peek(value, key);
  return typeof found === "string" ? found : "";
}

/** What `error` says of itself. Never throws. A string is taken for a message. */
export function factsOf(error: unknown): Facts {
  const code = text(error, "code");
  const sqlstate = SQLSTATE.test(code);
  return {
    code,
    message: typeof error === "string" ? error : text(error, "message"),
    routine: text(error, "routine"),
    syscall: text(error, "syscall"),
    name: text(error, "name"),
    severity: severityOf(sqlstate, code, text(error, "severity")),
    sqlstate,
  };
}

function severityOf(sqlstate: boolean, code: string, word: string): Severity {
  if (FATAL_WORDS.has(word)) return "fatal";
  if (ERROR_WORDS.has(word)) return "error";
  if (FATAL_CODES.has(code)) return "fatal";
  // PGlite and hand-made errors carry a code alone: a server that answers with a code has answered.
  return sqlstate && word === "" ? "error" : "unknown";
}
