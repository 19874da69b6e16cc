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

  it("are not looked for in code", () => {
    expect(linksOf("`[a](b)`\n```md\n[c](d)\n```\n")).toEqual([]);
  });
});
