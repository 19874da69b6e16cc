/**
 * A password that is a function, beside a connection string that names none: pg takes the string's empty one instead.
 */
import type { PgConfig } from "./types.ts";

/** Has a client ask the function of its configuration, where pg would not. A password in the string goes first. */
export function askForPassword(client: object, { connectionString, password }: PgConfig): void {
  if (typeof password !== "function" || !connectionString || namesPassword(connectionString)) return;
  // Where pg keeps it, out of sight of who prints a client.
  Object.defineProperty(client, "password", { configurable: true, enumerable: false, writable: true, value: password });
}

/** Reads a string as `pg-connection-string` does. What that cannot read either has been refused before. */
function namesPassword(connectionString: string): boolean {
  // The path of a socket, and a database.
  if (connectionString.startsWith("/")) return false;
  const base = "postgres://base";
  const url = URL.parse(connectionString, base) ?? URL.parse(connectionString.replace("@/", "@host/"), base);
  return url !== null && (url.password !== "" || Boolean(url.searchParams.getAll("password").at(-1)));
}
