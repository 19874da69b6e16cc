/** Reads the pages and the docstrings of every public export into one model. */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import {
  Application,
  type DeclarationReflection,
  DocumentReflection,
  Logger,
  LogLevel,
  normalizePath,
  type ProjectReflection,
} from "typedoc";
import { type EntryPoint, entryPoints, pages, ROOT } from "./tree.ts";

/** The reader and writer, and what it has read. */
export interface Model {
  readonly app: Application;
  readonly project: ProjectReflection;
  /** What the reader and the writer complained of so far: links that lead nowhere, languages that they do not know. */
  readonly warnings: readonly string[];
}

class Warnings extends Logger {
  readonly all: string[] = [];

  override log(message: string, level: LogLevel): void {
    super.log(message, level);
    if (level >= LogLevel.Warn) this.all.push(message);
  }
}

/** @throws Error when the sources cannot be read. */
export async function readModel(entries: readonly EntryPoint[] = entryPoints(), documents = pages()): Promise<Model> {
  const app = await Application.bootstrap({
    name: "Breakwater",
    basePath: ROOT,
    tsconfig: path.join(import.meta.dirname, "tsconfig.api.json"),
    entryPoints: entries.map(({ file }) => file),
    sortEntryPoints: false,
    alwaysCreateEntryPointModule: true,
    // The compiler has its own gate, in the version that the packages are built with.
    skipErrorChecking: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    readme: path.join(ROOT, "README.md"),
    projectDocuments: documents.map((page) => path.join(ROOT, page)),
    // Places in the source are named, not linked: where the repository is, a checkout does not say.
    displayBasePath: ROOT,
    disableGit: true,
    sourceLinkTemplate: "{path}",
  });
  const warnings = new Warnings();
  app.logger = warnings;
  const project = await app.convert();
  if (project === undefined) throw new Error("the sources could not be read");
  const names = new Map(entries.map(({ name, file }) => [normalizePath(file), name]));
  for (const one of project.children ?? []) one.name = names.get(one.sources?.[0]?.fullFileName ?? "") ?? one.name;
  for (const one of project.documents ?? []) one.name = titleOf(fileOf(one)) ?? one.name;
  for (const one of Object.values(project.reflections)) {
    if ("sources" in one) for (const source of (one as DeclarationReflection).sources ?? []) delete source.url;
  }
  addSources(project);
  return { app, project, warnings: warnings.all };
}

/** Path of what a page was made of, relative to the checkout. */
export function fileOf(page: DocumentReflection): string {
  return path.relative(ROOT, page.project.files.getReflectionPath(page) ?? ROOT);
}

/** The first heading of a page, without its marks. */
function titleOf(file: string): string | undefined {
  const heading = /^# +(.+)$/m.exec(readFileSync(path.join(ROOT, file), "utf8"))?.[1];
  return heading?.replaceAll(/`|\[([^\]]*)\]\([^)]*\)/g, "$1").trim();
}

/** A page for each source file that a page links to: a server would offer the file itself as a film or for download. */
function addSources(project: ProjectReflection): void {
  for (const file of project.files.getMediaPaths()) {
    const language = path.extname(file).slice(1);
    if (!["ts", "json", "yml", ""].includes(language) || !statSync(file).isFile()) continue;
    const name = path.relative(ROOT, file);
    const text = `# ${name}\n\n~~~~${language || "text"}\n${readFileSync(file, "utf8")}\n~~~~\n`;
    const page = new DocumentReflection(name, project, [{ kind: "text", text }], {});
    project.addChild(page);
    project.registerReflection(page, undefined, file);
  }
}
