/** Scenarios in YAML: every issue with its line and column. */
import { readFile } from "node:fs/promises";
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import { checkSource, ScenarioError, type ScenarioIssue, type ScenarioPath } from "./issue.ts";
import type { Scenario } from "./model.ts";
import { checkedScenario } from "./scenario.ts";

/** More than any scenario needs; a larger file is none. */
const MAX_LENGTH = 1_000_000;

/**
 * Reads a scenario from a file.
 *
 * @throws ScenarioError with everything that is wrong in it; the system's error when it cannot be read.
 */
export async function loadScenario(file: string): Promise<Scenario> {
  return parseScenario(await readFile(file, "utf8"), file);
}

/**
 * Reads a scenario from a text in YAML 1.2.
 *
 * @param source stands in messages.
 * @throws ScenarioError with everything that is wrong in it, each with line and column, both from 1.
 */
export function parseScenario(text: string, source = "scenario.yaml"): Scenario {
  checkSource(source);
  if (text.length > MAX_LENGTH) {
    const found = `${text.length} of them`;
    throw new ScenarioError(source, [
      { path: [], at: "value", expected: `at most ${MAX_LENGTH} characters`, found, line: 1, column: 1 },
    ]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, logLevel: "error" });
  const broken = [...document.errors, ...document.warnings].map((error) => syntaxIssue(error, lines));
  // Where only a key stands twice, or a tag is unknown, the rest of the file can still be read.
  const isReadable = document.errors.every(({ code }) => code === "DUPLICATE_KEY");
  if (isReadable) broken.push(...aliasIssues(document, lines));
  if (!isReadable || broken.some(({ expected }) => expected === ALIAS)) throw new ScenarioError(source, broken);
  let given: unknown;
  try {
    given = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new ScenarioError(source, [
      ...broken,
      { path: [], at: "value", expected: "aliases that can be resolved", found, line: 1, column: 1 },
    ]);
  }
  return checkedScenario(given, source, broken, (issue) => ({ ...issue, ...place(document, lines, issue) }));
}

/** What the parser says, in our words. */
function syntaxIssue(
  error: Document["errors"][number] | Document["warnings"][number],
  lines: LineCounter,
): ScenarioIssue {
  const [message = ""] = error.message.split("\n");
  const at = { path: [], at: "key", ...positionOf(lines, error.pos[0]) } as const;
  // A list or mapping in brackets that is not closed shows by the indentation of what follows.
  const closing = /end with an? (\S)$/.exec(message)?.[1];
  if (closing !== undefined) return { ...at, expected: `a closing "${closing}"`, found: "none" };
  if (error.code === "MULTIPLE_DOCS") return { ...at, expected: "one document", found: "a second one" };
  const expected = EXPECTED[error.code];
  return expected === undefined
    ? { ...at, expected: "YAML", found: `what is none: ${message}` }
    : { ...at, expected, found: message };
}

const EXPECTED: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "each key once",
  TAB_AS_INDENT: "spaces to indent",
  BAD_INDENT: "the same indentation for all keys of a mapping and all items of a list",
  TAG_RESOLVE_FAILED: "no tags",
  MISSING_CHAR: "a character that closes or separates",
};

const ALIAS = "an alias of an anchor that stands before it";

/** Aliases that stand for nothing, or for what they stand in. */
function aliasIssues(document: Document, lines: LineCounter): ScenarioIssue[] {
  const issues: ScenarioIssue[] = [];
  visit(document, {
    Alias(_key, alias, ancestors) {
      const target = alias.resolve(document);
      if (target !== undefined && !ancestors.includes(target)) return;
      const found = `"*${alias.source}" ${target === undefined ? "of an anchor that is not there" : "within its own anchor"}`;
      issues.push({ path: [], at: "value", expected: ALIAS, found, ...positionOf(lines, start(alias) ?? 0) });
    },
  });
  return issues;
}

/** Line and column of the key or value, or, where it is missing, of what should have it. */
function place(document: Document, lines: LineCounter, issue: ScenarioIssue): { line: number; column: number } {
  return positionOf(lines, offsetOf(document, issue.path, issue.at));
}

function positionOf(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function offsetOf(document: Document, path: ScenarioPath, at: "key" | "value"): number {
  let node: unknown = document.contents;
  let offset = start(node) ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(part));
      if (pair === undefined) return offset;
      const isLast = depth === path.length - 1;
      const key = start(pair.key) ?? offset;
      // A value that is not there has no place of its own.
      offset = isLast && at === "key" ? key : (start(pair.value) ?? key);
      if (isScalar(pair.value) && pair.value.value === null && pair.value.source === "") offset = key;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = start(node) ?? offset;
    } else return offset;
  }
  return offset;
}

function start(node: unknown): number | undefined {
  return (node as Partial<Node> | null | undefined)?.range?.[0];
}
