import { readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { packages, read, ROOT } from "./tree.ts";

const names = packages().map((one) => one.manifest.name);
const files = readdirSync(path.join(ROOT, ".changeset")).filter((file) => file.endsWith(".md") && file !== "README.md");

/** What is wrong with a changeset. */
function problems(text: string): string[] {
  const [, head, words] = /^---\n([\s\S]*?)---\n\s*([\s\S]*)$/.exec(text) ?? [];
  if (head === undefined || words === undefined) return ["it does not begin with the packages that it is about"];
  const lines = head.trim().split("\n");
  const bumps = lines.map((line) => /^"(.+)": (?:patch|minor|major)$/.exec(line)?.[1] ?? line);
  const strange = bumps.filter((name) => !names.includes(name)).map((name) => `there is no package ${name}`);
  return words.trim() === "" ? [...strange, "it says nothing"] : strange;
}

describe("changesets", () => {
  it("release all packages under one version", () => {
    const config = JSON.parse(read(".changeset/config.json")) as { readonly fixed: readonly (readonly string[])[] };
    expect(config.fixed.map((group) => group.toSorted())).toEqual([names.toSorted()]);
  });

  it("are about packages that there are", () => {
    expect(files.map((file) => [file, problems(read(`.changeset/${file}`))])).toEqual(files.map((file) => [file, []]));
  });

  it("would be told otherwise", () => {
    expect(problems("The first release.")).toHaveLength(1);
    expect(problems('---\n"@breakwater/nothing": minor\n---\n\nA change.\n')).toHaveLength(1);
    expect(problems('---\n"@breakwater/core": minor\n---\n')).toHaveLength(1);
  });
});
