/**
 * Keeps what pg believes that the server has prepared in step with what people tell the server.
 */
import type { QueryResult } from "@breakwater/core";
import type { PgClient } from "./types.ts";

/** Answers to statements after which the server may know fewer prepared statements than before. */
const FORGETTING: ReadonlySet<unknown> = new Set(["DISCARD", "DEALLOCATE"]);
const ALL = /\b(?:discard|deallocate(?:\s+prepare)?)\s+all\b/i;
const ONE = /\bdeallocate\s+(?:prepare\s+)?("(?:[^"]|"")+"|\w+)/gi;

/** Lets pg forget what a statement has taken away: it would go on asking the server for it by name. */
export function forgetPrepared({ connection }: PgClient, text: string, result: QueryResult | undefined): void {
  if (
    !FORGETTING.has(result?.command) &&
    !(Array.isArray(result) && result.some(({ command }) => FORGETTING.has(command)))
  )
    return;
  const books = [connection?.parsedStatements, connection?.submittedNamedStatements];
  for (const book of books) {
    if (book === undefined) continue;
    const names = ALL.test(text) ? Object.keys(book) : [...text.matchAll(ONE)].map(([, name = ""]) => plain(name));
    for (const name of names) delete book[name];
  }
}

function plain(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}
