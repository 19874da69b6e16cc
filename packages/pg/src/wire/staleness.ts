/**
 * Which errors say that a prepared statement is of no use, and nothing against the statement.
 */

/**
 * `lost`: the server does not know the name, or knows it for something else. `changed`: it knows it, but what it was
 * prepared against has changed. Undefined for every other error, and for those of a statement that had begun to be carried out.
 */
export function staleness(error: unknown, begun: boolean): "lost" | "changed" | undefined {
  if (begun) return undefined;
  const { code, routine } = (error ?? {}) as { readonly code?: unknown; readonly routine?: unknown };
  // 26000, invalid_sql_statement_name; 42P05, duplicate_prepared_statement.
  if (code === "26000" && routine === "FetchPreparedStatement") return "lost";
  if (code === "42P05" && routine === "StorePreparedStatement") return "lost";
  // 0A000 "cached plan must not change result type": only this routine says it.
  if (code === "0A000" && routine === "RevalidateCachedQuery") return "changed";
  // Class 42: what it was read to mean has changed, for example the type of a parameter.
  return typeof code === "string" && code.startsWith("42") && code !== "42501" ? "changed" : undefined;
}
