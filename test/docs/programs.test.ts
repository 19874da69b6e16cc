import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { packages, ROOT } from "../packages/tree.ts";
import { linkModules } from "./modules.ts";
import { pages, programOf, wholeProgramsOf } from "./pages.ts";

/** Below the checkout, so that the types of `pg` are found from there. */
const FOLDER = path.join(ROOT, ".artifacts", `programs-${process.pid}`);

const all = pages().flatMap((page) => {
  const name = page.replaceAll(/[^\w-]/g, "_");
  const program = programOf(page);
  const parts = program === undefined ? [] : [{ page, program, file: `${name}.ts` }];
  // With as many empty lines before it as stand before it on the page.
  const whole = wholeProgramsOf(page).map(({ line, code }) => ({
    page: `${page}:${line}`,
    program: "\n".repeat(line - 1) + code,
    file: `${name}-${line}.ts`,
  }));
  return [...parts, ...whole];
});

/** Compiles programs as a user's project would. Returns what the compiler says. */
function compile(folder: string, programs: readonly { readonly file: string; readonly program: string }[]): string {
  mkdirSync(folder, { recursive: true });
  linkModules(folder);
  const own = Object.fromEntries(
    packages().flatMap((one) =>
      Object.entries(one.manifest.exports).map(([key, source]) => [
        one.manifest.name + key.slice(1),
        [path.join(one.path, source)],
      ]),
    ),
  );
  const compilerOptions = { paths: own, noUnusedLocals: false, noUnusedParameters: false };
  const config = {
    extends: path.join(ROOT, "test/tsconfig.json"),
    compilerOptions,
    include: ["*.ts", path.join(ROOT, "test/docs/names.ts")],
  };
  writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(config));
  for (const { file, program } of programs) writeFileSync(path.join(folder, file), program);
  const tsc = path.join(ROOT, "node_modules/typescript/bin/tsc");
  const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status === null) throw new Error("tsc did not end by itself");
  return stdout;
}

describe("programs in the pages", () => {
  let output = "";

  beforeAll(() => {
    try {
      output = compile(FOLDER, all);
    } finally {
      rmSync(FOLDER, { recursive: true, force: true });
    }
  }, 120_000);

  it.each(all)("of $page compile", ({ page, file }) => {
    const errors = output.split("\n").flatMap((line) => {
      const found = /^(.+?)\((\d+),\d+\): (.*)$/.exec(line);
      return found?.[1] === file ? [`${page.replace(/:.*/, "")}:${found[2]}: ${found[3]}`] : [];
    });
    expect(errors).toEqual([]);
  });

  it("are all that the compiler saw", () => {
    expect(output).toBe("");
  });

  it("are told when they do not compile, with the line on the page", () => {
    const folder = `${FOLDER}-planted`;
    const page = ["# Page", "", "```ts", 'import { retry } from "breakwater";', "retry({ maxRetrys: 1 });", "```"];
    try {
      expect(compile(folder, [{ file: "page.ts", program: programOf("page.md", page.join("\n"))! }])).toMatch(
        /^page\.ts\(5,9\): error TS2561/,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("see what stands above them on the page", () => {
    const page = ["```ts", "const a = 1;", "```", "text", "```ts", "const b = a;", "const c = b;", "```"].join("\n");
    expect(programOf("page.md", page)!.split("\n").slice(1)).toEqual([
      "const a = 1;",
      "",
      "",
      "{",
      "const b = a;",
      "const c = b;",
      "",
      "}}",
    ]);
  });
});
