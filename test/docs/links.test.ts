import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { read, ROOT } from "../packages/tree.ts";
import { anchorsOf, linksOf, pages } from "./pages.ts";

/** What is wrong with a link of a page; undefined when nothing is, or when it leads out of the project. */
function dead(page: string, text: string, link: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(link)) return undefined;
  const [target = "", anchor] = link.split("#");
  const file = target === "" ? page : path.join(path.dirname(page), target);
  if (file.startsWith("..")) return `${link}: leaves the project`;
  if (!existsSync(path.join(ROOT, file))) return `${link}: there is no ${file}`;
  if (anchor === undefined || !file.endsWith(".md")) return undefined;
  const anchors = anchorsOf(file === page ? text : read(file));
  return anchors.includes(anchor) ? undefined : `${link}: ${file} has no heading #${anchor}`;
}

/** The pages that a page leads to, relative to the checkout. */
function leadsTo(page: string): string[] {
  return linksOf(read(page)).flatMap((link) => {
    const [target = ""] = link.split("#");
    if (target === "" || /^[a-z][a-z+.-]*:/i.test(link) || !target.endsWith(".md")) return [];
    const file = path.join(path.dirname(page), target);
    return existsSync(path.join(ROOT, file)) ? [file] : [];
  });
}

describe("links", () => {
  it.each(pages())("of %s lead somewhere", (page) => {
    const text = read(page);
    expect(linksOf(text).flatMap((link) => dead(page, text, link) ?? [])).toEqual([]);
  });

  it.each(["nowhere.md", "#nowhere", "docs/design.md#nowhere", "../outside.md"])("would be told: %s", (link) => {
    const text = `# Page\n\n[a](${link})`;
    expect(linksOf(text)).toEqual([link]);
    expect(dead("README.md", text, link)).toBeDefined();
  });

  it("lead from the front page to every page, and from the index to every page beside it", () => {
    const reached = new Set(["README.md"]);
    for (const page of reached) for (const next of leadsTo(page)) reached.add(next);
    expect(pages().filter((page) => !reached.has(page))).toEqual([]);
    const indexed = new Set(["docs/README.md", ...leadsTo("docs/README.md")]);
    expect(pages().filter((page) => page.startsWith("docs/") && !indexed.has(page))).toEqual([]);
  });

  it.each(pages())("of %s to files of the project are no less alive where they are code", (page) => {
    const named = [...read(page).matchAll(/`((?:test|examples|packages|docs)\/[\w./-]+)`/g)].map((found) => found[1]!);
    expect(named.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
  });

  it("are not looked for in code", () => {
    expect(linksOf("`[a](b)`\n```md\n[c](d)\n```\n")).toEqual([]);
  });
});
