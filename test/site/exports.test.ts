/** Every public export says what it is for. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readModel } from "../../site/api.ts";
import { entryPoints } from "../../site/tree.ts";
import { undocumented } from "../../site/undocumented.ts";
import { packages, ROOT } from "../packages/tree.ts";

/** Below the checkout, so that it is read as our own source is. */
const FOLDER = path.join(ROOT, ".artifacts", `exports-${process.pid}`);

const PLANTED = `
/** Says. */
export interface Said {
  /** Whose it is. */
  readonly said: string;
  readonly member: number;
}
export interface Unsaid {
  /** This is. */
  readonly said: string;
}
/** Says that \`one\` is said. */
export function partly(one: string, two: string, three: Said): string[] {
  return [one, two, three.said];
}
export function plain(): void {}
/** Says. */
export class Thing {
  /** Is said. */
  readonly said = 1;
  readonly field = 2;
  method(): void {}
  private readonly hidden = 3;
}
/** Says. */
export class Child extends Thing {
  override method(): void {}
}
/** Says, its members too. */
export type Shape = { readonly kind: "a" } | { readonly kind: "b" };
export const value = 1;
`;

describe("public exports", () => {
  let missing: string[];

  beforeAll(async () => {
    mkdirSync(FOLDER, { recursive: true });
    const file = path.join(FOLDER, "planted.ts");
    writeFileSync(file, PLANTED);
    const { project } = await readModel([...entryPoints(), { name: "planted", file }], []);
    missing = undocumented(project);
  }, 120_000);
  afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

  it("are those of every entry point of every package", () => {
    const wanted = packages().flatMap(({ manifest }) =>
      Object.keys(manifest.exports).map((key) => manifest.name + key.slice(1)),
    );
    expect(entryPoints().map(({ name }) => name)).toEqual(expect.arrayContaining(wanted));
  });

  it("all have a docstring, and so have their members and parameters", () => {
    expect(missing.filter((line) => !line.includes(" planted."))).toEqual([]);
  });

  it("are told when they have none", () => {
    const planted = missing
      .filter((line) => line.includes(" planted."))
      .map((line) => line.replace(/^\S+ planted\./, ""));
    expect(planted.toSorted()).toEqual([
      "Child.method: no docstring (Method)",
      "Said.member: no docstring (Property)",
      "Thing.field: no docstring (Property)",
      "Thing.method: no docstring (Method)",
      "Unsaid: no docstring (Interface)",
      "partly: nothing on the parameter two (Function)",
      "plain: no docstring (Function)",
      "value: no docstring (Variable)",
    ]);
  });
});
