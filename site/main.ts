/** `pnpm site`: builds the site into `.artifacts/site`, or the folder given by `--out`. */
import path from "node:path";
import { parseArgs } from "node:util";
import { buildSite } from "./build.ts";
import { ROOT } from "./tree.ts";

const { values } = parseArgs({ options: { out: { type: "string", default: path.join(ROOT, ".artifacts/site") } } });
const { links, undocumented, warnings } = await buildSite(path.resolve(values.out));

for (const link of links.external) console.log(`leads outside, not looked at: ${link}`);
const problems = [
  ...warnings,
  ...links.dead.map((link) => `dead link: ${link}`),
  ...links.loaded.map((link) => `loaded from outside: ${link}`),
  ...undocumented,
];
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? `the site is in ${values.out}` : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
