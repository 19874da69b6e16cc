/**
 * Whether a statement leaves something on its server connection, which behind a pooler in transaction mode is somebody
 * else's after the transaction.
 */
import { classify } from "../classify/index.ts";

const LEADING = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)+/;

/** Begins, ends or divides a transaction, or belongs to no session after all. */
const CONTROL = /^(?:begin|start|commit|end|rollback|abort|savepoint|release|show|copy)\b/i;
const BEGINS = /^(?:begin|start)\b/i;

/** What lasts beyond the transaction that it is sent in. */
const LASTS: readonly RegExp[] = [
  /^set\s+(?!local\b|transaction\b|constraints\b)/i,
  /^(?:reset|listen|unlisten|load|execute|deallocate|discard)\b/i,
  /^prepare\s+(?!transaction\b)/i,
  /\bwith\s+hold\b/i,
  /\bpg_(?:try_)?advisory_(?:lock|unlock)/i,
  /\bset_config\s*\((?![^;]*,\s*true\s*\))/i,
];
const TEMPORARY = /^create\s+(?:local\s+|global\s+)?temp(?:orary)?\b/i;
/** Asks for what the session has done before. */
const REMEMBERS = /\b(?:lastval|currval)\s*\(/i;
const DROPPED = /\bon\s+commit\s+drop\b/i;

/** Whether it does, or asks for what another statement has left there. `open`: it is sent inside a transaction. */
export function lasts(text: string, open: boolean): boolean {
  let inside = open;
  for (const part of text.split(";")) {
    const statement = part.replace(LEADING, "");
    if (BEGINS.test(statement)) inside = true;
    if (statement === "" || CONTROL.test(statement) || classify(statement) !== "session") continue;
    if (LASTS.some((pattern) => pattern.test(statement))) return true;
    if (TEMPORARY.test(statement) && !DROPPED.test(statement)) return true;
    if (!inside && REMEMBERS.test(statement)) return true;
  }
  return false;
}
