/** The order in which pages are offered. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "./tree.ts";

/** Pages that stand together, under one title. */
export interface Chapter {
  readonly title: string;
  /** Paths relative to the checkout. */
  readonly pages: readonly string[];
}

/** Chapters of all pages: those of `docs/README.md` as it orders them, then what it does not name. */
export function chapters(pages: readonly string[]): Chapter[] {
  const learning = learningOrder(pages);
  const named = new Set(learning.flatMap((chapter) => chapter.pages));
  const others = pages.filter((page) => !named.has(page));
  const below = (...folders: string[]) => others.filter((page) => folders.some((folder) => page.startsWith(folder)));
  const policies = below("packages/policies/src/");
  return [
    ...learning,
    { title: learning.length === 0 ? "Guides" : "More guides", pages: below("docs/") },
    { title: "Policies", pages: policies },
    { title: "Packages", pages: below("packages/").filter((page) => !policies.includes(page)) },
    { title: "Examples", pages: below("examples/") },
    { title: "Project", pages: others.filter((page) => !/^(?:docs|packages|examples)\//.test(page)) },
  ].filter((chapter) => chapter.pages.length > 0);
}

/** Each second heading of `docs/README.md` that has links to guides below it; each guide where it is named first. */
function learningOrder(pages: readonly string[]): Chapter[] {
  const index = "docs/README.md";
  if (!existsSync(path.join(ROOT, index))) return [];
  const seen = new Set<string>();
  const sections = readFileSync(path.join(ROOT, index), "utf8").split(/^## +/m);
  return sections.map((section, place) => {
    const linked = [...section.matchAll(/\]\(([^)#\s]+\.md)(?:#[^)\s]*)?\)/g)].map(([, link]) =>
      path.join("docs", link!),
    );
    const fresh = linked.filter((page) => page.startsWith("docs/") && pages.includes(page) && !seen.has(page));
    for (const page of fresh) seen.add(page);
    if (place === 0) return { title: "Guides", pages: [index, ...fresh] };
    return { title: section.split("\n", 1)[0]!.replaceAll("`", "").trim(), pages: [...new Set(fresh)] };
  });
}
