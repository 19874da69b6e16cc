/**
 * Reads what an error says of itself. Errors come from drivers, sockets and users' own streams: any property may be
 * missing, of another type, or throw when it is read.
 */

/** What every error may say of itself, as far as it could be read. A dialect adds what its server says. */
export interface Facts {
  /** Its `code`, such as an SQLSTATE or `ECONNRESET`; empty when it has none. */
  readonly code: string;
  /** Its message; empty when it has none. */
  readonly message: string;
  /** The system call that failed; empty when it names none. */
  readonly syscall: string;
  /** Its `name`; empty when it has none. */
  readonly name: string;
}

/** What an error of any kind says of itself. Never throws. A string is taken for a message. */
export function commonFacts(error: unknown): Facts {
  return {
    code: textIn(error, "code"),
    message: typeof error === "string" ? error : textIn(error, "message"),
    syscall: textIn(error, "syscall"),
    name: textIn(error, "name"),
  };
}

/** The property `key` of `value` where that is a string, or an empty one. Never throws. */
export function textIn(value: unknown, key: string): string {
  const found = peek(value, key);
  return typeof found === "string" ? found : "";
}

/** The property `key` of `value`, or undefined where there is none or reading it throws. */
export function peek(value: unknown, key: string): unknown {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return undefined;
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}
