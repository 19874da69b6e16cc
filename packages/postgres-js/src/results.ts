/**
 * What postgres.js answers, as the layer says it.
 */
import type { QueryResult } from "@breakwater/core";
import type { SqlColumn, SqlResult } from "./types.ts";
import type { Tag } from "./wire.ts";

/** The answer to a text: one result, or an array of them where it had several statements, as with `pg`. */
export function resultOf(answer: SqlResult | readonly SqlResult[], tags: readonly Tag[]): QueryResult {
  const given: readonly SqlResult[] = isOne(answer) ? [answer] : answer;
  // postgres.js begins a new result with each statement that has columns but the first one, whatever came between.
  let next = tags[0]?.hasRows === false ? 1 : 0;
  const results = tags.map((tag) => one(tag, tag.hasRows ? given[next++] : undefined));
  // What was prepared has told its columns before, or now to postgres.js alone.
  if (tags.length <= 1) return one(tags[0], given[0]);
  return results as unknown as QueryResult;
}

function isOne(answer: SqlResult | readonly SqlResult[]): answer is SqlResult {
  return "command" in answer;
}

function one(tag: Tag | undefined, rows: SqlResult | undefined): QueryResult {
  return {
    rows: rows === undefined ? [] : ([...rows] as QueryResult["rows"]),
    rowCount: tag?.count ?? null,
    command: tag?.command ?? "",
    fields: (rows?.columns ?? []).map((column: SqlColumn) => ({ name: column.name, dataTypeID: column.type })),
  };
}
