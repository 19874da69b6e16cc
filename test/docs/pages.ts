/**
 * The pages of the project, and the programs in them.
 */
import path from "node:path";
import { parseSync, type StaticImport } from "oxc-parser";
import { filesBelow, packages, read } from "../packages/tree.ts";

/** Every page that a reader is led to, relative to the checkout. */
export function pages(): string[] {
  const below = ["docs", "examples", ...packages().map((one) => path.join("packages", one.folder))];
  return ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...below.flatMap((folder) => filesBelow(folder, ".md"))];
}

/** A fenced block. */
export interface Block {
  /** Line of its first line, from 1. */
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
  /** What the comment right above it says, as in `<!-- run -->`; undefined where there is none. */
  readonly mark: string | undefined;
}

/** All fenced blocks of a page. */
export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open: (Omit<Block, "lines"> & { readonly fence: string; lines: string[] }) | undefined;
  let mark: string | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^\s*(`{3,}|~{3,})\s*(\S*)/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { fence: fence[1]!, line: index + 2, language: fence[2]!, lines: [], mark };
      if (line.trim() !== "") mark = /^<!-- (\S+) -->$/.exec(line)?.[1];
    } else if (fence?.[1] === open.fence && fence[2] === "") {
      blocks.push(open);
      open = undefined;
    } else {
      open.lines.push(line);
    }
  }
  return blocks;
}

/**
 * The page as one program in which every line stands where it stands on the page: blocks from top to bottom, each in a
 * scope inside the one before, so that a block sees what was declared above it and may declare it anew. Imports are moved
 * to the first line. Without the blocks that are programs of their own. Undefined when the page has no other TypeScript.
 */
export function programOf(page: string, text: string = read(page)): string | undefined {
  const blocks = blocksOf(text).filter(({ language, mark }) => language === "ts" && mark !== "run");
  if (blocks.length === 0) return undefined;
  const program: string[] = text.split("\n").map(() => "");
  const imports = new Set<string>();
  let depth = 0;
  for (const block of blocks) {
    let code = block.lines.join("\n");
    const parsed = parseSync("page.ts", code);
    const [error] = parsed.errors;
    if (error !== undefined) throw new Error(`${page}:${block.line}: ${error.message}`);
    for (const one of parsed.module.staticImports) {
      for (const each of importsIn(one)) imports.add(each);
      code = blank(code, one.start, one.end);
    }
    // Only a module's top level can declare a module or export.
    const own = /^(?:export|declare)\b/m.test(code);
    if (own && depth > 0) throw new Error(`${page}:${block.line}: a block that exports or declares must come first`);
    for (const [offset, line] of code.split("\n").entries()) program[block.line - 1 + offset] = line;
    if (!own) {
      program[block.line - 2] = "{";
      depth += 1;
    }
  }
  program[0] = [...imports, "export {};", program[0]].join(" ");
  return [...program, "}".repeat(depth)].join("\n");
}

/** A block that is a program of its own, marked by `<!-- run -->`, with what the next block says that it prints. */
export interface WholeProgram {
  /** Line of its first line, from 1. */
  readonly line: number;
  readonly code: string;
  /** What is printed, line by line; `…` stands for anything. Undefined where the page does not say. */
  readonly prints: string | undefined;
}

/** All blocks of a page that are programs of their own. */
export function wholeProgramsOf(page: string, text: string = read(page)): WholeProgram[] {
  const blocks = blocksOf(text);
  return blocks.flatMap(({ mark, lines, line, language }, index) => {
    if (mark !== "run") return [];
    if (language !== "ts") throw new Error(`${page}:${line}: only TypeScript is run`);
    const next = blocks[index + 1];
    return [{ line, code: lines.join("\n"), prints: next?.mark === "prints" ? next.lines.join("\n") : undefined }];
  });
}

function importsIn(one: StaticImport): string[] {
  const from = JSON.stringify(one.moduleRequest.value);
  if (one.entries.length === 0) return [`import ${from};`];
  return one.entries.map(({ importName, localName, isType }) => {
    const type = isType ? "type " : "";
    const kind: string = importName.kind;
    if (kind === "Default") return `import ${type}${localName.value} from ${from};`;
    if (kind === "NamespaceObject") return `import ${type}* as ${localName.value} from ${from};`;
    const renamed = importName.name === localName.value ? "" : ` as ${localName.value}`;
    return `import { ${type}${importName.name}${renamed} } from ${from};`;
  });
}

/** The text with a stretch made empty, its line ends kept. */
function blank(text: string, start: number, end: number): string {
  return text.slice(0, start) + text.slice(start, end).replaceAll(/[^\n]/g, " ") + text.slice(end);
}

/** Addresses that a page links to or shows. */
export function linksOf(text: string): string[] {
  const prose = withoutCode(text);
  const links = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)].map((found) => found[1]!);
  const tags = [...prose.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g)].map((found) => found[1]!);
  return [...links, ...tags];
}

/** Addresses of the headings of a page, as GitHub makes them. */
export function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...withoutFences(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(([, title]) => {
    const slug = title!
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

function withoutFences(text: string): string {
  const lines = text.split("\n");
  for (const block of blocksOf(text)) lines.fill("", block.line - 1, block.line - 1 + block.lines.length);
  return lines.join("\n");
}

function withoutCode(text: string): string {
  return withoutFences(text).replaceAll(/`[^`\n]*`/g, "");
}
