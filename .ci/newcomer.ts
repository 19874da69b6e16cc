/**
 * The way of somebody new, from an empty folder: install, a few lines that run with no server, the same lines with a primary
 * and two replicas. Prints how long each step takes; fails when one does not work, never because it is slow.
 *
 * The lines are those of docs/start.md: its blocks that begin with `// start.ts` and `// replicas.ts`.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { complain, Project, ROOT, tarballs } from "./project.ts";

const page = path.join(ROOT, "docs/start.md");
const text = existsSync(page) ? readFileSync(page, "utf8") : "";

/** A program of the page. @throws Error when the page has it not, or twice. */
function program(name: string): string {
  const blocks = [...text.matchAll(/^```ts[^\n]*\n([\s\S]*?)^```$/gm)].map((found) => found[1] ?? "");
  const found = blocks.filter((block) => block.startsWith(`// ${name}\n`));
  if (found.length !== 1) throw new Error(`docs/start.md has ${found.length} blocks that begin with // ${name}`);
  return found[0] ?? "";
}

const FIRST = ["breakwater", "@breakwater/core", "@breakwater/pg", "@breakwater/policies", "@breakwater/postgres"];
const project = new Project();
const times: [string, number][] = [];

/** One step, whose output is shown. */
function step(
  what: string,
  does: () => { readonly ok: boolean; readonly stdout: string; readonly seconds: number },
): void {
  if (process.exitCode === 1) return;
  const { stdout, seconds } = does();
  if (stdout.trim() !== "") console.log(stdout.trim().replaceAll(/^/gm, "    "));
  times.push([what, seconds]);
}

for (const name of ["start.ts", "replicas.ts"]) project.write(name, program(name));
step("npm install breakwater @breakwater/pglite @electric-sql/pglite", () =>
  project.npmInstall(["--ignore-scripts", ...tarballs(...FIRST, "@breakwater/pglite"), "@electric-sql/pglite"]),
);
step("node start.ts: the first query, no server", () => project.run("start.ts", "node", ["start.ts"]));
step("npm install @breakwater/chaos", () => project.npmInstall(["--ignore-scripts", ...tarballs("@breakwater/chaos")]));
step("node replicas.ts: a primary and two replicas, the same lines", () =>
  project.run("replicas.ts", "node", ["replicas.ts"]),
);
if (times.length < 4) complain("the way does not lead to its end");
for (const [what, seconds] of times) console.log(`${seconds.toFixed(1).padStart(6)} s  ${what}`);
