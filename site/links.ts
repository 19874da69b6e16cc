/** Follows every link of a built site from file to file, without a server and without the network. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { inflateSync } from "node:zlib";

/** What the links of a site lead to. */
export interface Links {
  /** Those inside the site that lead nowhere: `page.html: where.html#anchor`. */
  readonly dead: readonly string[];
  /** Addresses outside, sorted, each once. They are not fetched. */
  readonly external: readonly string[];
  /** Files outside that a page would load by itself: scripts, styles, pictures. */
  readonly loaded: readonly string[];
}

/** Looks at each page below `folder`, and at the navigation that its pages share. */
export function linksOf(folder: string): Links {
  const pages = new Map(
    globSync("**/*.html", { cwd: folder }).map((page) => [page, readFileSync(path.join(folder, page), "utf8")]),
  );
  const entries = globSync("**/*", { cwd: folder, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = new Set(entries.map(({ parentPath, name }) => path.relative(folder, path.join(parentPath, name))));
  const anchors = new Map([...pages].map(([page, text]) => [page, new Set(attributes(text, "id"))]));
  const dead: string[] = [];
  const external = new Set<string>();
  const loaded = new Set<string>();

  const follow = (page: string, link: string, loads: boolean): void => {
    if (link.startsWith("data:")) return;
    if (/^(?:[a-z][a-z+.-]*:|\/\/)/i.test(link)) {
      (loads ? loaded : external).add(link);
      return;
    }
    const [, target = "", anchor = ""] = /^([^?#]*)(?:\?[^#]*)?(?:#(.*))?$/.exec(link) ?? [];
    // A leading slash would leave the folder that the site is served from.
    const file = target === "" ? page : path.join(path.dirname(page), decodeURIComponent(target));
    const there =
      !target.startsWith("/") && files.has(file) && (anchor === "" || isAnchor(file, decodeURIComponent(anchor)));
    if (!there) dead.push(`${page}: ${link}`);
  };
  const isAnchor = (file: string, anchor: string): boolean => anchors.get(file)?.has(anchor) ?? false;

  for (const [page, text] of pages) {
    for (const link of attributes(text, "href", "a")) follow(page, link, false);
    for (const link of [...attributes(text, "src"), ...attributes(text, "href", "link")]) follow(page, link, true);
  }
  for (const link of navigationLinks(folder)) follow("index.html", link, false);
  return { dead, external: [...external].toSorted(), loaded: [...loaded].toSorted() };
}

/** Values of an attribute, of all elements or of those with one tag. The writer of the pages quotes every value. */
function attributes(text: string, name: string, tag = "[a-z][a-z0-9]*"): string[] {
  // Code that is shown has its brackets escaped, scripts have none.
  const elements = text
    .replaceAll(/<script\b[^>]*>(?=[^<])[^]*?<\/script>/g, "")
    .matchAll(new RegExp(`<${tag}(?:\\s[^>]*)?>`, "gi"));
  return [...elements].flatMap(([element]) => {
    const value = new RegExp(`\\s${name}="([^"]*)"`).exec(element)?.[1];
    return value === undefined ? [] : [unescaped(value)];
  });
}

function unescaped(text: string): string {
  const names: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return text.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_all, name: string) => names[name]!);
}

interface Entry {
  readonly path?: string;
  readonly children?: readonly Entry[];
}

function navigationLinks(folder: string): string[] {
  const script = readFileSync(path.join(folder, "assets/navigation.js"), "utf8");
  const packed = /"([A-Za-z0-9+/=]+)"/.exec(script)?.[1] ?? "";
  const entries = JSON.parse(inflateSync(Buffer.from(packed, "base64")).toString()) as readonly Entry[];
  const linksIn = ({ path: link, children = [] }: Entry): string[] => [
    ...(link === undefined ? [] : [link]),
    ...children.flatMap(linksIn),
  ];
  return entries.flatMap(linksIn);
}
