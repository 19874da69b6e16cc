import { describe, expect, it } from "vitest";
import { ENGINES, MAY_IMPORT, wrongDirection, wrongNeighbour } from "./rules.ts";
import { filesBelow, type Import, importsOf, type Package, packages, sourcesOf } from "./tree.ts";

const all = packages();

function told(problems: readonly (readonly [Import, string | undefined])[]): string[] {
  return problems.flatMap(([one, problem]) =>
    problem === undefined ? [] : [`${one.file}:${one.line} "${one.specifier}": ${problem}`],
  );
}

function home(folder: string): Package {
  return all.find((one) => one.folder === folder)!;
}

function planted(file: string, text: string): Import {
  return importsOf(file, text)[0]!;
}

describe("imports", () => {
  it.each(all.map((one) => [one.folder, one] as const))("of %s point downwards only", (folder, one) => {
    expect(Object.keys(MAY_IMPORT)).toContain(folder);
    const imports = filesBelow(`packages/${folder}/src`, ".ts").flatMap((file) => importsOf(file));
    expect(imports.length).toBeGreaterThan(0);
    expect(told(imports.map((each) => [each, wrongDirection(each, one)]))).toEqual([]);
  });

  it("of a policy never reach another policy", () => {
    const imports = filesBelow("packages/policies/src", ".ts").flatMap((file) => importsOf(file));
    expect(told(imports.map((each) => [each, wrongNeighbour(each)]))).toEqual([]);
  });

  it.each(ENGINES)("of %s are in exactly one file", (engine) => {
    const files = all.flatMap(sourcesOf).filter((file) => importsOf(file).some((one) => one.specifier === engine));
    expect(files).toHaveLength(1);
  });
});

describe("the rules of imports", () => {
  const file = "packages/policies/src/retry/planted.ts";

  it.each([
    ["an import of a type", 'import type { Pool } from "@breakwater/core";', ["@breakwater/core"]],
    ["a re-export", 'export * from "a"; export { b } from "b";', ["a", "b"]],
    ["a dynamic import", 'const a = import("a");', ["a"]],
    [
      "what is computed",
      "const a = import(where); const b = import(`./${where}.ts`);",
      ["(where)", "(`./${where}.ts`)"],
    ],
    ["an import type", 'type A = import("a").B;', ["a"]],
    ["nothing in comments and strings", '// import "a";\nconst b = \'import "b"\'; /* from "c" */', []],
  ])("see %s", (_what, text, specifiers) => {
    expect(importsOf(file, text).map((one) => one.specifier)).toEqual(specifiers);
  });

  it.each([
    ["core", "packages/core/src/planted.ts", "@breakwater/policies"],
    ["policies", file, "@breakwater/postgres"],
    ["policies", file, "breakwater"],
    ["postgres", "packages/postgres/src/planted.ts", "@breakwater/pg"],
    ["chaos", "packages/chaos/src/planted.ts", "@breakwater/postgres"],
    ["core", "packages/core/src/planted.ts", "pg"],
    ["policies", file, "../../../core/src/pool.ts"],
    ["core", "packages/core/src/planted.ts", "vitest"],
  ])("refuse %s: %s imports %s", (folder, from, specifier) => {
    expect(wrongDirection(planted(from, `import {} from "${specifier}";`), home(folder))).toBeDefined();
  });

  it.each([
    ["policies", file, "@breakwater/core/testing"],
    ["pg", "packages/pg/src/planted.ts", "@breakwater/postgres"],
    ["pg", "packages/pg/src/planted.ts", "pg"],
    ["core", "packages/core/src/planted.test.ts", "vitest"],
    ["core", "packages/core/src/planted.ts", "node:path"],
  ])("allow %s: %s imports %s", (folder, from, specifier) => {
    expect(wrongDirection(planted(from, `import {} from "${specifier}";`), home(folder))).toBeUndefined();
  });

  it.each([
    ["packages/breakwater/src/cli/sources.ts", "const a = import(userModule);", undefined],
    ["packages/breakwater/src/cli/sources.ts", 'const a = import("userModule");', "userModule is not a dependency"],
    ["packages/breakwater/src/cli/sources.ts", "const a = import(other);", "is computed"],
    ["packages/breakwater/src/cli/store.ts", "const a = import(userModule);", "is computed"],
  ])("know the one computed import: %s, %s", (from, text, problem) => {
    const found = wrongDirection(planted(from, text), home("breakwater"));
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(problem);
  });

  it.each(["../timeout/timeout.ts", "@breakwater/policies/timeout", "@breakwater/policies", "../router/index.ts"])(
    "refuse that a policy imports %s",
    (specifier) => {
      expect(wrongNeighbour(planted(file, `import {} from "${specifier}";`))).toBeDefined();
    },
  );

  it.each(["../budget/index.ts", "./backoff.ts", "@breakwater/core"])("allow that a policy imports %s", (specifier) => {
    expect(wrongNeighbour(planted(file, `import {} from "${specifier}";`))).toBeUndefined();
  });
});
