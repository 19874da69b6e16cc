/**
 * Which reads ask the same. Pure.
 */
import type { Operation, QueryOperation } from "@breakwater/core";

/** Whether a call may share its answer at all. */
export function mayShare(operation: Operation<unknown>): operation is QueryOperation<unknown> {
  const { kind, access, purpose, consistency, causality, held } = operation;
  if (kind !== "query" || access !== "read" || purpose === "probe" || held !== undefined) return false;
  // A strong read sees whatever was committed before it began, by anyone; one that is under way began earlier.
  if (consistency === "strong") return false;
  // Without a record of what was written, and where reads must not go back in time, only the call itself will do.
  return consistency === "eventual" || (causality !== undefined && !causality.monotonic);
}

/** What a statement may say and be compared; a driver's own additions, such as parsers of types, change the answer too. */
const COMPARED: ReadonlySet<string> = new Set(["text", "values", "name", "rowMode"]);

/**
 * A text that two statements share only when they ask the same; undefined when a parameter cannot be compared: an object
 * may be changed by its owner while the read is under way.
 */
export function keyOf({ statement }: QueryOperation<unknown>): string | undefined {
  for (const name in statement) if (!COMPARED.has(name)) return undefined;
  let key = part(statement.text) + part(statement.rowMode ?? "object") + part(statement.name ?? "");
  for (const value of statement.values ?? []) {
    const text = valueOf(value);
    if (text === undefined) return undefined;
    key += part(text);
  }
  return key;
}

/** With its length in front, no text can be taken for two. */
function part(text: string): string {
  return `${text.length}:${text}`;
}

function valueOf(value: unknown): string | undefined {
  if (value === null || value === undefined) return "null";
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (typeof value === "object" || typeof value === "function") return undefined;
  if (Object.is(value, -0)) return "number -0";
  if (typeof value === "symbol") return undefined;
  return `${typeof value} ${value as string | number | bigint | boolean}`;
}
