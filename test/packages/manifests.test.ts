import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { SHARED } from "./rules.ts";
import { type Package, packages, read } from "./tree.ts";

const all = packages().map((one) => [one.manifest.name, one] as const);

/** Where a source file is found once it is built. */
function built(source: string): Readonly<Record<string, string>> {
  const stem = source.replace("./src/", "./dist/").replace(/\.ts$/, "");
  return { types: `${stem}.d.ts`, default: `${stem}.js` };
}

function specifiers(one: Package): string[] {
  return Object.keys(one.manifest.exports).map((key) => one.manifest.name + key.slice(1));
}

describe.each(all)("the manifest of %s", (name, one) => {
  const { manifest } = one;

  it("says what the package is", () => {
    expect(manifest.description).toMatch(/^[A-Z].*\.$/);
    expect(manifest.keywords?.length).toBeGreaterThan(2);
    expect(manifest.license).toBe("MIT");
    expect(manifest.type).toBe("module");
    expect(manifest.sideEffects).toBe(false);
    expect(manifest.engines).toEqual({ node: ">=22.12" });
    expect(manifest.files).toEqual(expect.arrayContaining(["dist", "src", "!**/*.test.*", "README.md"]));
  });

  it("publishes every entry point under the name that it has here", () => {
    const published = manifest.publishConfig?.exports;
    expect(manifest.publishConfig?.access).toBe("public");
    expect(published).toEqual(
      Object.fromEntries(Object.entries(manifest.exports).map(([key, source]) => [key, built(source)])),
    );
  });

  it("names entry points that are there", () => {
    const missing = Object.values(manifest.exports).filter((source) => !existsSync(path.join(one.path, source)));
    expect(missing).toEqual([]);
  });

  it("refers to its neighbours by the workspace", () => {
    const { dependencies = {} } = manifest;
    const ours = Object.entries(dependencies).filter(([target]) => /^(@breakwater\/|breakwater$)/.test(target));
    expect(ours.filter(([, range]) => range !== "workspace:^")).toEqual([]);
  });

  it("has a page", () => {
    expect(read(path.join("packages", one.folder, "README.md"))).toContain(`# ${name}`);
  });

  it.each(specifiers(one))("%s can be imported and exports something", async (specifier) => {
    const module = (await import(specifier)) as object;
    expect(Object.keys(module)).not.toEqual([]);
    // Who is given a driver module looks for what `pg` has.
    expect("default" in module).toBe(specifier === "breakwater/pg");
  });
});

describe("the policies", () => {
  const policies = packages().find((one) => one.folder === "policies")!;
  const folders = readdirSync(path.join(policies.path, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

  it.each(folders)("%s has an entry point of its own", (folder) => {
    expect(policies.manifest.exports[`./${folder}`]).toBe(`./src/${folder}/index.ts`);
  });

  it.each(folders)("%s has a page", (folder) => {
    expect(existsSync(path.join(policies.path, "src", folder, "README.md"))).toBe(true);
  });

  it.each(folders)("%s is in the table of the front page", (folder) => {
    const isShared = SHARED.includes(folder);
    expect(isShared || read("README.md").includes(`packages/policies/src/${folder}/README.md`)).toBe(true);
  });
});
