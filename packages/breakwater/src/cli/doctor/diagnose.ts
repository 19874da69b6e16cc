/** What the rules make of what was learned. */
import type { Round } from "./facts.ts";
import { type Level, LEVELS } from "./rule.ts";
import { RULES } from "./rules/index.ts";

/** One thing to change. */
export interface Finding {
  readonly id: string;
  readonly level: Level;
  /** Name of the node; null where it is about several. */
  readonly node: string | null;
  readonly seen: string;
  readonly why: string;
  readonly change: string;
}

/** All findings but those that are accepted, the worst first. */
export function diagnose(round: Round, ignored: readonly string[] = []): Finding[] {
  const found = RULES.filter(({ id }) => !ignored.includes(id)).flatMap((rule) =>
    rule.find(round).map(({ node = null, level = rule.level, seen, change }) => ({
      id: rule.id,
      level,
      node,
      seen,
      why: rule.why,
      change,
    })),
  );
  return found.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}
