/**
 * Reads what an error of PostgreSQL says of itself.
 */
import { commonFacts, type Facts, textIn } from "@breakwater/core/failures";
import type { Severity } from "./row.ts";

/** What an error says of itself, as far as it could be read. */
export interface PostgresFacts extends Facts {
  readonly routine: string;
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

/** What `error` says of itself. Never throws. */
export function factsOf(error: unknown): PostgresFacts {
  const common = commonFacts(error);
  const { code } = common;
  const sqlstate = SQLSTATE.test(code);
  const severity = severityOf(sqlstate, code, textIn(error, "severity"));
  return { ...common, routine: textIn(error, "routine"), severity, sqlstate };
}

function severityOf(sqlstate: boolean, code: string, word: string): Severity {
  if (FATAL_WORDS.has(word)) return "fatal";
  if (ERROR_WORDS.has(word)) return "error";
  if (FATAL_CODES.has(code)) return "fatal";
  // PGlite and hand-made errors carry a code alone: a server that answers with a code has answered.
  return sqlstate && word === "" ? "error" : "unknown";
}
