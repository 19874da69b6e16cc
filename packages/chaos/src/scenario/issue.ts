/** What is wrong with a scenario, and where. */
import { lineOf } from "../check.ts";

/** Where something stands in a scenario: keys and places in lists. */
export type ScenarioPath = readonly (string | number)[];

/** One thing that is wrong. */
export interface ScenarioIssue {
  /** Keys and places in lists that lead to it; empty for the scenario itself. */
  readonly path: ScenarioPath;
  /** Whether the key itself is meant or what stands behind it. */
  readonly at: "key" | "value";
  /** What would have been right, such as `a whole number from 0 to 8`. */
  readonly expected: string;
  /** What is there, such as `text "many"`. */
  readonly found: string;
  /** From 1; absent for scenarios that were not read from a file. */
  readonly line?: number;
  /** From 1; see `line`. */
  readonly column?: number;
}

/** Issues that a message tells; `issues` has all. */
const MAX_TOLD = 50;

/** A scenario that cannot be run: every issue at once, in the order of the file. */
export class ScenarioError extends Error {
  /** Name of the class. */
  override readonly name: string = "ScenarioError";
  /** What callers compare. */
  readonly code = "ERR_BREAKWATER_CHAOS_SCENARIO";
  /** Name of the file, or of the scenario. */
  readonly source: string;
  /** Everything that is wrong, in the order of the file. */
  readonly issues: readonly ScenarioIssue[];

  constructor(source: string, issues: readonly ScenarioIssue[]) {
    const told = issues.slice(0, MAX_TOLD).map((issue) => describe(source, issue));
    const more = issues.length > MAX_TOLD ? [`${source}: and ${issues.length - MAX_TOLD} more`] : [];
    super([...told, ...more].join("\n"));
    this.source = source;
    this.issues = issues;
  }
}

function describe(source: string, { path, line, column, expected, found }: ScenarioIssue): string {
  const place = line === undefined ? source : `${source}:${line}:${column}`;
  const where = path.length === 0 ? "" : ` ${shownPath(path)}:`;
  return `${place}:${where} expected ${expected}, found ${found}`;
}

/** A path as people write it: `steps[2].wait`. */
export function shownPath(path: ScenarioPath): string {
  return path
    .map((part, at) => {
      if (typeof part === "number") return `[${part}]`;
      const plain = /^[\w-]+$/.test(part) ? part : JSON.stringify(part);
      return at === 0 ? plain : `.${plain}`;
    })
    .join("");
}

/** A value in a few words. */
export function shownValue(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (typeof value === "string")
    return `the text ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)}`;
  if (typeof value === "number" || typeof value === "bigint") return `the number ${value}`;
  if (typeof value === "boolean") return `${value}`;
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "function") return "a function";
  if (value instanceof RegExp) return "a pattern";
  const keys = Object.keys(value);
  return keys.length === 0 ? "an empty mapping" : `a mapping with ${keys.slice(0, 5).join(", ")}`;
}

/** The name that was probably meant; undefined when none is near. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_\s]/g, "");
  const wanted = plain(given);
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const distance = editDistance(wanted, plain(name));
    if (distance <= Math.max(1, Math.floor(name.length / 3)) && distance < (best?.distance ?? Infinity)) {
      best = { name, distance };
    }
  }
  return best?.name;
}

/** How many letters have to be put in, left out, changed or swapped with their neighbour (Damerau, restricted). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(cell(rows, i - 1, j) + 1, (row[j - 1] ?? 0) + 1, cell(rows, i - 1, j - 1) + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, cell(rows, i - 2, j - 2) + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return cell(rows, a.length, b.length);
}

function cell(rows: readonly (readonly number[])[], i: number, j: number): number {
  return rows[i]?.[j] ?? 0;
}

/** A name that stands in one line. @throws RangeError */
export function checkSource(source: string): string {
  return lineOf("source", source);
}
