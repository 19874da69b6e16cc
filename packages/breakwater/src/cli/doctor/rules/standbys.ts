/**
 * Reads `synchronous_standby_names`: `a, b` · `2 (a, b)` · `FIRST 2 (a, b)` · `ANY 1 (a, b)`; `*` stands for everybody
 * (PostgreSQL documentation, "Synchronous Replication").
 */
import type { Sender } from "../facts.ts";

const COUNTED = /^(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(([^]*)\)$/i;

/** Standbys that a commit waits for; 0 for none. */
export function required(value: string): number {
  const text = value.trim();
  if (text === "") return 0;
  const [, count] = COUNTED.exec(text) ?? [];
  return count === undefined ? 1 : Number(count);
}

/** How many of those who receive WAL are named, and can so confirm a commit. */
export function matching(value: string, senders: readonly Sender[]): number {
  const names = namesIn(value);
  return senders.filter(
    ({ application, state }) =>
      (names.includes("*") || names.includes(application.toLowerCase())) &&
      (state === undefined || state === "streaming"),
  ).length;
}

/** Compared without regard to case, as the server does. */
function namesIn(value: string): readonly string[] {
  const text = value.trim();
  const [, , list = text] = COUNTED.exec(text) ?? [];
  const found = list.match(/"(?:[^"]|"")*"|[^\s,"]+/g) ?? [];
  return found.map((name) => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name).toLowerCase());
}
