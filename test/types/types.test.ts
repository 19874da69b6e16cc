import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";

const HERE = import.meta.dirname;
const TSC = path.resolve(HERE, "../../node_modules/typescript/bin/tsc");

const files = readdirSync(HERE).filter((file) => file.endsWith(".ts") && !/^(equal|types\.test)\.ts$/.test(file));

describe("types", () => {
  let output = "";

  beforeAll(() => {
    const { stdout, status } = spawnSync(process.execPath, [TSC, "-p", HERE, "--noEmit", "--pretty", "false"], {
      cwd: HERE,
      encoding: "utf8",
    });
    output = stdout;
    if (status === null) throw new Error("tsc did not end by itself");
  }, 120_000);

  it.each(files)("%s: what must compile does, and what must not does not", (file) => {
    expect(output.split("\n").filter((line) => line.startsWith(`${file}(`))).toEqual([]);
  });

  it.each(files)("%s holds something that must not compile", (file) => {
    expect(readFileSync(path.join(HERE, file), "utf8")).toContain("// @ts-expect-error ");
  });

  it("compile as a whole", () => {
    expect(output).toBe("");
  });
});
