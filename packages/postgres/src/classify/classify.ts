/**
 * Tells reads from writes by the text alone: the question of every router.
 *
 * The answer is never too free: a text is a read only when every part of it is known to be. It costs time in proportion to
 * the text once, and a look into a map after that.
 */
import { GenerationalCache } from "./cache.ts";
import { type Inspection, type StatementClass, stricter } from "./findings.ts";
import { Scanner } from "./scan.ts";

const scanner = new Scanner();
const cache = new GenerationalCache<Inspection>();

/**
 * Says what may be done with the text `sql`: `read` may be sent to a hot-standby replica and repeated, since it changes
 * nothing and means the same there; `session` touches or depends on the state of one connection; `write` is everything
 * else, also what is in doubt. Of several statements the strictest counts: session before write before read.
 */
export function classify(sql: string): StatementClass {
  return inspect(sql).class;
}

/** Says what may be done with the text `sql`, why, and which functions would have to be looked up to say more. */
export function inspect(sql: string): Inspection {
  const known = cache.get(sql);
  if (known !== undefined) return known;
  const inspection = inspectAnew(sql);
  cache.set(sql, inspection);
  return inspection;
}

/** As `inspect`, without remembering anything. */
export function inspectAnew(sql: string): Inspection {
  const found = scanner.scan(sql, false);
  const inspection = found.inspection();
  if (!found.ambiguous) return inspection;
  // The server may read backslashes in plain strings as escapes. A text that makes no sense in that reading is an error there.
  const other = scanner.scan(sql, true);
  return other.malformed ? inspection : stricter(inspection, other.inspection());
}
