/** What of the checkout the site is made of. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";

/** The checkout's folder. */
export const ROOT: string = path.resolve(import.meta.dirname, "..");

/** What others export again comes before them, so that it has its page where it is made. */
const ORDER = [
  "core",
  "policies",
  "pg",
  "postgres-js",
  "pglite",
  "mysql2",
  "postgres",
  "mysql",
  "otel",
  "chaos",
  "breakwater",
];

/** One entry point of a package. */
export interface EntryPoint {
  /** As it is imported: `@breakwater/policies/retry`. */
  readonly name: string;
  /** Its source file, absolute. */
  readonly file: string;
}

/** Every entry point of every package, as their package.json files say. */
export function entryPoints(): EntryPoint[] {
  const folders = globSync("packages/*/package.json", { cwd: ROOT }).map((file) => path.dirname(file));
  const place = (folder: string) => (ORDER.indexOf(path.basename(folder)) + ORDER.length + 1) % (ORDER.length + 1);
  return folders
    .toSorted((one, other) => place(one) - place(other) || one.localeCompare(other))
    .flatMap((folder) => {
      const manifest = JSON.parse(readFileSync(path.join(ROOT, folder, "package.json"), "utf8")) as {
        readonly name: string;
        readonly exports: Readonly<Record<string, string>>;
      };
      return Object.entries(manifest.exports).map(([key, source]) => ({
        name: manifest.name + key.slice(1),
        file: path.join(ROOT, folder, source),
      }));
    });
}

/** Every page that a reader is led to, relative to the checkout; the front page is not among them. */
export function pages(): string[] {
  const exclude = (name: string) => name.includes("node_modules");
  const found = ["*.md", "docs/**/*.md", "packages/**/*.md", "examples/**/*.md"].flatMap((pattern) =>
    globSync(pattern, { cwd: ROOT, exclude }).toSorted(),
  );
  return found.filter((page) => page !== "README.md" && path.basename(page) !== "CHANGELOG.md");
}
