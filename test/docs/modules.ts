/**
 * What a program of a page may import: the project's packages, drivers and the libraries that stand on them.
 */
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { ROOT } from "../packages/tree.ts";

const HOMES = ["test", "test/ecosystem", "examples"].map((home) => path.join(ROOT, home, "node_modules"));

/** Gives a folder the modules of a project that has installed all of them. */
export function linkModules(folder: string): void {
  for (const home of HOMES) {
    for (const name of readdirSync(home)) {
      if (name.startsWith(".")) continue;
      const each = name.startsWith("@")
        ? readdirSync(path.join(home, name)).map((one) => path.join(name, one))
        : [name];
      for (const one of each) {
        const link = path.join(folder, "node_modules", one);
        if (existsSync(link)) continue;
        mkdirSync(path.dirname(link), { recursive: true });
        symlinkSync(path.join(home, one), link, "dir");
      }
    }
  }
}
