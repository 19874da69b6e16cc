/**
 * What PGlite answers, as the layer says it.
 */
import type { QueryResult } from "@breakwater/core";
import type { PgliteResult } from "./types.ts";

/** One answer. Before PGlite says the command itself, it is read from the text. */
export function resultOf(result: PgliteResult, text: string): QueryResult {
  const { rows, fields, command, rowCount, affectedRows } = result;
  const counted = rowCount ?? (command !== undefined ? null : fields.length > 0 ? rows.length : (affectedRows ?? null));
  return {
    rows: rows as QueryResult["rows"],
    rowCount: counted,
    command: command ?? /^\s*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? "",
    fields: fields.map(({ name, dataTypeID }) => ({ name, dataTypeID })),
  };
}
