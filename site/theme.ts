/** How the site looks: the theme of the writer, with a front page, chapters and addresses of our own. */
import path from "node:path";
import {
  type Application,
  DefaultTheme,
  type DocumentReflection,
  type NavigationElement,
  PageEvent,
  type ProjectReflection,
  ReflectionKind,
} from "typedoc";
import { Addresses } from "./addresses.ts";
import { fileOf } from "./api.ts";
import { asides } from "./asides.ts";
import { chapters } from "./navigation.ts";

/** Makes the theme known and chooses it. */
export function useTheme(app: Application, project: ProjectReflection): void {
  app.renderer.defineTheme("breakwater", Theme);
  app.renderer.defineRouter("breakwater", Addresses);
  app.options.setValue("theme", "breakwater");
  app.options.setValue("router", "breakwater");
  app.options.setValue("customCss", path.join(import.meta.dirname, "style.css"));
  app.options.setValue("favicon", path.join(import.meta.dirname, "favicon.svg"));
  app.options.setValue("lightHighlightTheme", "github-light-high-contrast");
  app.options.setValue("darkHighlightTheme", "github-dark-high-contrast");
  app.options.setValue("highlightLanguages", ["bash", "diff", "html", "ini", "js", "json", "sh", "sql", "ts", "yaml"]);
  app.options.setValue("navigation", { includeFolders: true, compactFolders: false, excludeReferences: true });
  app.options.setValue("searchInComments", true);
  app.options.setValue("searchInDocuments", true);
  app.options.setValue("includeHierarchySummary", false);
  app.options.setValue("hideGenerator", true);
  app.options.setValue("githubPages", true);
  // The list of everything is a list of packages: guides have their chapters.
  project.groups = project.groups?.filter((group) => group.title !== "Documents") ?? [];
  for (const { children } of project.groups) {
    const place = children.findIndex((one) => one.name === "breakwater");
    children.unshift(...children.splice(place, 1));
  }
  const above = asides(project);
  app.renderer.hooks.on("content.begin", above);
  app.renderer.on(PageEvent.END, (page) => {
    if (page.contents !== undefined) page.contents = finished(page.url, page.contents);
  });
}

class Theme extends DefaultTheme {
  /** The chapters, then the entry points with what they export. */
  override buildNavigation(project: ProjectReflection): NavigationElement[] {
    const documents = new Map((project.documents ?? []).map((one) => [fileOf(one), one]));
    const guides = chapters([...documents.keys()]).map(({ title, pages }) => {
      const children = pages.map((page) => this.#link(documents.get(page)!));
      // The page of all guides stands for itself.
      return pages[0] === "docs/README.md" && children.length === 1 ? children[0]! : { text: title, children };
    });
    const api = super.buildNavigation(project).flatMap((one) => withoutDocuments(one) ?? []);
    // What people install comes first.
    const first = api.findIndex(({ text }) => text === "breakwater");
    const overview = { text: "All packages", path: "modules.html" };
    return [...guides, { text: "API", children: [overview, ...api.splice(first, 1), ...api].map(folded) }];
  }

  #link(page: DocumentReflection): NavigationElement {
    return { text: page.name, path: this.router.getFullUrl(page), kind: page.kind };
  }
}

function withoutDocuments(element: NavigationElement): NavigationElement | undefined {
  if (element.kind === ReflectionKind.Document) return undefined;
  if (element.children === undefined) return element;
  const children = element.children.flatMap((child) => withoutDocuments(child) ?? []);
  return children.length === 0 && element.path === undefined ? undefined : { ...element, children };
}

/** An entry that folds is a button; where it led to comes first below it. */
function folded({ path: link, ...entry }: NavigationElement): NavigationElement {
  const children = (entry.children ?? []).map(folded);
  if (children.length === 0 || link === undefined)
    return { ...entry, ...(link === undefined ? { children } : { path: link }) };
  return { ...entry, children: [{ text: "Overview", path: link }, ...children] };
}

/** A page as it is written. */
function finished(url: string, page: string): string {
  if (url === "index.html") page = page.replace(/<div class="tsd-page-title">\s*<h1>Breakwater<\/h1><\/div>/, "");
  if (url === "modules.html") page = page.replace("<h1>Breakwater</h1>", "<h1>API reference</h1>");
  return (
    page
      // What may be wider than the screen scrolls by itself, and by the keyboard too.
      .replaceAll("<table>", '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>')
      .replaceAll("</table>", "</table></div>")
      .replaceAll(/<pre(?=[ >])/g, '<pre tabindex="0"')
      // A heading that folds its section is a button: no link fits into it.
      .replaceAll(/<summary\b[^]*?<\/summary>/g, (summary) => summary.replaceAll(/<a\b[^]*?<\/a>/g, ""))
      .replace(
        /(<nav class="tsd-navigation"><a href="[^"]*)modules\.html"( class="current")?>Breakwater</,
        '$1index.html">Home<',
      )
      // Without a server, a folder is not a page.
      .replaceAll(/ href="((?:\.{1,2}\/)+)(#[^"]*)?"/g, ' href="$1index.html$2"')
  );
}
