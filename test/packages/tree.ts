/**
 * What is in the tree: its packages, their files, and what each file imports.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseSync } from "oxc-parser";

/** The checkout's folder. */
export const ROOT: string = path.resolve(import.meta.dirname, "../..");

/** What a package.json says, as far as it is looked at here. */
export interface Manifest {
  readonly name: string;
  readonly description?: string;
  readonly license?: string;
  readonly keywords?: readonly string[];
  readonly files?: readonly string[];
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string>>;
  readonly publishConfig?: {
    readonly access?: string;
    readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A package of the workspace. */
export interface Package {
  /** Name of its folder below `packages/`. */
  readonly folder: string;
  readonly path: string;
  readonly manifest: Manifest;
}

/** One import, re-export or dynamic import of a file. */
export interface Import {
  /** The file, relative to the checkout. */
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
}

/** All packages, by folder name. */
export function packages(): Package[] {
  const below = path.join(ROOT, "packages");
  return readdirSync(below, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({
      folder: name,
      path: path.join(below, name),
      manifest: JSON.parse(readFileSync(path.join(below, name, "package.json"), "utf8")) as Manifest,
    }));
}

const SKIPPED = new Set(["node_modules", "dist", ".artifacts", ".git", "coverage"]);

/** Paths of all files below a folder, relative to the checkout, without what tools make. */
export function filesBelow(folder: string, ends = ""): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(file, ends);
    return file.endsWith(ends) ? [file] : [];
  });
}

/** The source files of a package, without its tests. */
export function sourcesOf(one: Package): string[] {
  return filesBelow(path.join("packages", one.folder, "src"), ".ts").filter((file) => !file.endsWith(".test.ts"));
}

export function read(file: string): string {
  return readFileSync(path.join(ROOT, file), "utf8");
}

/** Everything that a text of TypeScript imports, types too; of what is computed, the expression in brackets. @throws when the text cannot be parsed. */
export function importsOf(file: string, text: string = read(file)): Import[] {
  const parsed = parseSync(file, text);
  const [error] = parsed.errors;
  if (error !== undefined) throw new Error(`${file}: ${error.message}`);
  const { staticImports, staticExports, dynamicImports } = parsed.module;
  const at = (offset: number, specifier: string): Import => ({
    file,
    line: text.slice(0, offset).split("\n").length,
    specifier,
  });
  const reExports = staticExports.flatMap(({ entries }) => entries);
  return [
    ...staticImports.map((one) => at(one.start, one.moduleRequest.value)),
    ...reExports.flatMap((one) => (one.moduleRequest === null ? [] : [at(one.start, one.moduleRequest.value)])),
    ...dynamicImports.map(({ start, moduleRequest }) => {
      const given = text.slice(moduleRequest.start, moduleRequest.end);
      return at(start, /^(["'`])([^$]*)\1$/.exec(given)?.[2] ?? `(${given})`);
    }),
    // `import("x").Y` in the place of a type is an import as well.
    ...[...text.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)\./g)].map((found) => at(found.index, found[1]!)),
  ];
}

/** The package that a specifier names: `@scope/name/sub` is `@scope/name`; undefined for a relative one. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".")) return undefined;
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!;
}
