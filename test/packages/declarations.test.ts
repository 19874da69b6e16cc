import { spawnSync } from "node:child_process";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { DRIVERS, ENGINES } from "./rules.ts";
import { importsOf, packageOf, packages, ROOT, sourcesOf } from "./tree.ts";

/** Declarations that stand in the place of a driver's own, and so have its types. */
const FACES = ["packages/pg/dist/face/", "packages/breakwater/dist/pg"];

/** Imports of engines and drivers in a declaration file: their types would be part of our own contract. */
function foreign(file: string, text?: string): string[] {
  return importsOf(file, text)
    .filter((one) => [...ENGINES, ...DRIVERS, "@types/pg"].includes(packageOf(one.specifier) ?? ""))
    .map((one) => `${one.file}:${one.line} "${one.specifier}"`);
}

describe("published declarations", () => {
  beforeAll(() => {
    const tsc = path.join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-b"], { cwd: ROOT, encoding: "utf8" });
    if (status !== 0) throw new Error(`tsc -b:\n${stdout}`);
  }, 120_000);

  it.each(packages().map((one) => [one.manifest.name, one] as const))(
    "of %s name no engine and no driver",
    (_, one) => {
      const files = sourcesOf(one).map((file) => file.replace("/src/", "/dist/").replace(/\.ts$/, ".d.ts"));
      expect(files.length).toBeGreaterThan(0);
      const own = files.filter((file) => !FACES.some((face) => file.includes(face)));
      expect(own.flatMap((file) => foreign(file))).toEqual([]);
    },
  );

  it("are told when they do", () => {
    expect(foreign("a.d.ts", 'import { Policy } from "cockatiel"; export declare const a: Policy;')).toHaveLength(1);
    expect(foreign("a.d.ts", 'export declare const pool: import("pg").Pool;')).toHaveLength(1);
    expect(foreign("a.d.ts", 'import type { Pool } from "@breakwater/core";')).toEqual([]);
  });
});
