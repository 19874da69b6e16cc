import { existsSync } from "node:fs";
import path from "node:path";
import { parseScenario, readyScenarios } from "@breakwater/chaos";
import { beforeAll, describe, expect, it } from "vitest";
import { filesBelow, packages, read, ROOT } from "../packages/tree.ts";
import { command } from "../scenarios/command.ts";
import { type Command, commandsOf } from "./commands.ts";
import { blocksOf, pages } from "./pages.ts";

/** Commands of `breakwater` that a page may show, with what each says of itself. */
const help = new Map<string, string>();
const scenarios = new Set<string>();
let scripts: Readonly<Record<string, string>> = {};
let variables = new Set<string>();

/** What is wrong with a command; undefined when nothing is. */
function wrong({ words, variables: set }: Command): string | undefined {
  const unread = set.find((name) => !variables.has(name));
  if (unread !== undefined) return `nothing reads ${unread}`;
  const [program, ...rest] = words;
  if (program === "breakwater") return wrongArguments(rest);
  if (program === "pnpm") {
    const script = rest.find((word) => !word.startsWith("-")) ?? "";
    return script in scripts || script === "install" || script === "changeset" ? undefined : `no script ${script}`;
  }
  // A reader's own file is not ours to check.
  const files = rest.filter((word) => /^(?:test|examples|packages)\/[^<]*$/.test(word));
  return files.filter((file) => !existsSync(path.join(ROOT, file))).map((file) => `there is no ${file}`)[0];
}

function wrongArguments([name = "", ...rest]: readonly string[]): string | undefined {
  if (name.startsWith("-")) return name === "--help" || name === "--version" ? undefined : `no option ${name}`;
  const told = help.get(name);
  if (told === undefined) return `no command ${name}`;
  for (const option of rest.filter((word) => word.startsWith("--"))) {
    const [bare] = option.split("=");
    if (bare !== "--help" && !new RegExp(`${bare}(?![\\w-])`).test(told)) return `${name} has no option ${option}`;
  }
  if (name !== "chaos") return undefined;
  const [what, ...given] = rest;
  if (what === undefined) return undefined;
  if (!["run", "list", "replay", "--help"].includes(what)) return `chaos has no ${what}`;
  if (what !== "run") return undefined;
  // What follows an option is its value.
  const named = given.filter((word, at) => !word.startsWith("-") && !takesValue(given[at - 1]));
  const known = (word: string): boolean =>
    scenarios.has(word) || /\.(?:ya?ml|ts|js)$/.test(word) || word.startsWith("SCENARIO");
  return named.filter((word) => !known(word)).map((word) => `there is no scenario ${word}`)[0];
}

function takesValue(option: string | undefined): boolean {
  return option !== undefined && option.startsWith("--") && option !== "--quiet" && !option.includes("=");
}

/** A block of YAML that is a scenario: it has steps, and is no file of a CI server. */
function scenariosOf(text: string): { readonly line: number; readonly text: string }[] {
  return blocksOf(text)
    .filter(({ language, lines }) => language === "yaml" && lines.some((line) => line === "steps:"))
    .map(({ line, lines }) => ({ line, text: lines.join("\n") }));
}

describe("commands in the pages", () => {
  beforeAll(async () => {
    scripts = (JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts;
    const top = (await command(ROOT, "--help")).out;
    const names = new Set([...top.matchAll(/^ {2}breakwater ([a-z]+)/gm)].map((found) => found[1]!));
    for (const name of names) help.set(name, (await command(ROOT, name, "--help")).out);
    for (const name of ["all", ...(await readyScenarios()).map((one) => one.name)]) scenarios.add(name);
    const sources = ["test", ...packages().map((one) => path.join("packages", one.folder, "src"))];
    const texts = sources.flatMap((folder) => filesBelow(folder, ".ts")).map(read);
    variables = new Set(texts.flatMap((text) => [...text.matchAll(/\bBREAKWATER_[A-Z_]+\b/g)].map(([name]) => name)));
  });

  it.each(pages())("of %s are there", (page) => {
    const told = commandsOf(read(page)).flatMap((one) => {
      const what = wrong(one);
      return what === undefined ? [] : [`${page}:${one.line}: ${one.words.join(" ")}: ${what}`];
    });
    expect(told).toEqual([]);
  });

  it.each([
    "npx breakwater chaos run failvoer",
    "npx breakwater chaos run failover --aginst bare",
    "npx breakwater chaos walk",
    "npx breakwater docter",
    "npx -y pnpm demonstrate",
    "node test/bench/nothing.ts",
    "NOTHING_AT_ALL=1 node_modules/.bin/vitest run test/docs",
  ])("would be told: %s", (line) => {
    for (const text of [`\`${line}\``, `\`\`\`sh\n${line} # why\n\`\`\``, `\`\`\`yaml\n- run: ${line}\n\`\`\``]) {
      const found = commandsOf(text);
      expect(found).toHaveLength(1);
      expect(wrong(found[0]!)).toBeDefined();
    }
  });
});

describe("scenarios in the pages", () => {
  const all = pages().flatMap((page) =>
    scenariosOf(read(page)).map((one) => ({ ...one, where: `${page}:${one.line}` })),
  );

  it.each(all)("are read by the real parser: $where", ({ text, where }) => {
    expect(parseScenario(text, where).name).not.toBe("");
  });

  it("are those of the cookbook, and others", () => {
    expect(all.filter(({ where }) => where.startsWith("docs/chaos-cookbook.md")).length).toBeGreaterThanOrEqual(7);
  });

  it("would be told", () => {
    const [bad] = scenariosOf("```yaml\nname: bad\nsteps:\n  - wiat: 5\n```");
    expect(() => parseScenario(bad!.text, "page")).toThrow(/wiat/);
  });
});
