/** What stands above a page's own text: the hero of the front page, and the way between a page and its reference. */
import path from "node:path";
import {
  type DeclarationReflection,
  type DefaultThemeRenderContext,
  type DocumentReflection,
  JSX,
  type ProjectReflection,
  ReflectionKind,
} from "typedoc";
import { fileOf } from "./api.ts";
import { ROOT } from "./tree.ts";

const { createElement } = JSX;

/** Makes the function that gives what stands above each page. Takes the front page's beginning, which becomes its hero. */
export function asides(project: ProjectReflection): (context: DefaultThemeRenderContext) => JSX.Element {
  const promise = takePromise(project);
  const documents = new Map((project.documents ?? []).map((one) => [fileOf(one), one]));
  const pages = new Map<DeclarationReflection, DocumentReflection>();
  for (const entry of project.children ?? []) {
    const page = documents.get(pageOf(entry, documents));
    if (page !== undefined) pages.set(entry, page);
  }
  return (context) => {
    const { model, url } = context.page;
    if (url === "index.html") return hero(promise, documents, context);
    if (model.isDocument()) {
      const entries = [...pages].filter(([, page]) => page === model);
      return seeAlso(
        "Reference",
        entries.map(([entry]) => entry),
        context,
      );
    }
    if (!model.kindOf(ReflectionKind.Module)) return createElement(JSX.Fragment, null);
    return seeAlso("What it is for", [pages.get(model as DeclarationReflection)], context);
  };
}

/** The page of an entry point: that of the folder with its source, else that of its package. */
function pageOf(entry: DeclarationReflection, documents: ReadonlyMap<string, DocumentReflection>): string {
  const folder = path.dirname(path.relative(ROOT, entry.sources?.[0]?.fullFileName ?? ROOT));
  const own = path.join(folder, "README.md");
  return documents.has(own) ? own : path.join(folder.split("/src")[0]!, "README.md");
}

function seeAlso(
  title: string,
  targets: readonly (DeclarationReflection | DocumentReflection | undefined)[],
  context: DefaultThemeRenderContext,
): JSX.Element {
  const links = targets.flatMap((target) =>
    target === undefined ? [] : [" ", createElement("a", { href: context.urlTo(target) }, target.name)],
  );
  if (links.length === 0) return createElement(JSX.Fragment, null);
  return createElement("p", { class: "see-also" }, `${title}:`, ...links);
}

/** Takes title and first paragraph from the front page: they stand in its hero. */
function takePromise(project: ProjectReflection): string {
  const [first] = project.readme ?? [];
  const found = /^# .+\n+((?:.+\n)+)/.exec(first?.text ?? "");
  if (first === undefined || found === null) throw new Error("README.md does not begin with a title and a paragraph");
  first.text = first.text.slice(found[0].length);
  return found[1]!.trim();
}

function hero(
  promise: string,
  documents: ReadonlyMap<string, DocumentReflection>,
  context: DefaultThemeRenderContext,
): JSX.Element {
  const ways = [
    ["Start in five minutes", documents.get("docs/start.md")],
    ["All guides", documents.get("docs/README.md")],
  ] as const;
  const links = ways.flatMap(([title, page]) =>
    page === undefined ? [] : [createElement("a", { href: context.urlTo(page) }, title)],
  );
  return createElement(
    "header",
    { class: "hero" },
    createElement("h1", null, "Breakwater"),
    createElement("p", null, promise),
    createElement("pre", null, createElement("code", null, "npm install breakwater pg")),
    createElement(
      "p",
      { class: "hero-links" },
      ...links,
      createElement("a", { href: context.relativeURL("modules.html") }, "API reference"),
    ),
  );
}
