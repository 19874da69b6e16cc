/**
 * The commands that pages show: in blocks of shell, in the steps of a CI job, and between back-ticks.
 */
import { type Block, blocksOf } from "./pages.ts";

/** A command as a page shows it, without the variables before it. */
export interface Command {
  readonly line: number;
  readonly words: readonly string[];
  /** Names of the variables that are set before it. */
  readonly variables: readonly string[];
}

const SHELL = new Set(["sh", "bash", "shell"]);
/** What is written in front of a command that npm has installed. */
const RUNNERS = /^(?:npx (?:-y )?|pnpm exec |node_modules\/\.bin\/)+/;

/** All commands of a page that say what this project has: its own, its scripts, its tests and benchmarks. */
export function commandsOf(text: string): Command[] {
  const blocks = blocksOf(text);
  const shown = blocks.flatMap((block) => linesOf(block));
  const fenced = new Set(blocks.flatMap(({ line, lines }) => lines.map((_, at) => line + at)));
  const prose = text.split("\n").map((line, at) => (fenced.has(at + 1) ? "" : line));
  // A span may go on in the next line.
  for (const { 0: span, index } of prose.join("\n").matchAll(/(?<!`)`[^`]+`(?!`)/g)) {
    const line = prose.join("\n").slice(0, index).split("\n").length;
    shown.push({ line, text: span.slice(1, -1).replaceAll("\n", " ") });
  }
  return shown.flatMap(({ line, text: command }) =>
    command.split(" && ").flatMap((each) => {
      const words = each.replace(/\s+#.*$/, "").trim();
      const variables = [...words.matchAll(/^((?:[A-Z_]+=\S+ )+)/g)].flatMap(
        ([set]) => set.match(/[A-Z_]+(?==)/g) ?? [],
      );
      const bare = words.replace(/^(?:[A-Z_]+=\S+ )+/, "").replace(RUNNERS, "");
      return /^(?:breakwater|pnpm|vitest|node) /.test(bare) ? [{ line, words: bare.split(/\s+/), variables }] : [];
    }),
  );
}

function linesOf({ language, lines, line }: Block): { line: number; text: string }[] {
  if (SHELL.has(language)) return lines.map((text, at) => ({ line: line + at, text }));
  if (language !== "yaml") return [];
  return lines.flatMap((text, at) => {
    const step = /^\s*-? ?run: (.+)$/.exec(text);
    return step === null ? [] : [{ line: line + at, text: step[1]! }];
  });
}
