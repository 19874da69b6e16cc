/**
 * Which statements say nothing that only `pg` itself knows how to do.
 */
import type { Statement } from "@breakwater/core";

/** Whether there is a text, values, and how rows are wanted, and nothing else: no name, portal, callback or binary. */
export function isPlain(statement: Statement & { readonly submit?: unknown }): boolean {
  // What sends itself may look like a statement.
  if (statement.submit !== undefined) return false;
  for (const key in statement) {
    if (key === "text" || key === "values") continue;
    const value = (statement as unknown as Readonly<Record<string, unknown>>)[key];
    if (key === "rowMode" || value === undefined) continue;
    if (key !== "types" || !isTypes(value)) return false;
  }
  const { text, values } = statement;
  return typeof text === "string" && (values === undefined || Array.isArray(values));
}

function isTypes(value: unknown): boolean {
  const types = value as { readonly getTypeParser?: unknown } | null;
  return typeof types?.getTypeParser === "function";
}
