/**
 * Reads what an error says of itself. Errors come from drivers, sockets and users' own streams: any property may be
 * missing, of another type, or throw when it is read.
 */

/** What an error says of itself, as far as it could be read. */
export interface Facts {
  /** The server's error number; undefined for an error that is not the server's. */
  readonly number: number | undefined;
  readonly sqlstate: string;
  readonly code: string;
  readonly message: string;
  readonly syscall: string;
  readonly name: string;
  /** The driver says that the connection is lost with it. */
  readonly fatal: boolean;
}

/** Five characters as the standard has them. */
const SQLSTATE = /^[0-9A-Z]{5}$/;

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

/**
 * What `error` says of itself. Never throws. A system error has an `errno` too, below zero; the server's come with an
 * SQLSTATE, except while it still greets.
 */
export function factsOf(error: unknown): Facts {
  const errno = peek(error, "errno");
  const sqlstate = text(error, "sqlState");
  const server = typeof errno === "number" && Number.isInteger(errno) && errno >= 1_000;
  return {
    number: server ? errno : undefined,
    sqlstate: SQLSTATE.test(sqlstate) ? sqlstate : "",
    code: text(error, "code"),
    message: typeof error === "string" ? error : text(error, "message"),
    syscall: text(error, "syscall"),
    name: text(error, "name"),
    fatal: peek(error, "fatal") === true,
  };
}
