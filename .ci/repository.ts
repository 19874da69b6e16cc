/**
 * Writes into every package which repository it comes from, as the workflow knows it: provenance is refused for one that does
 * not say so. The sources do not name it, so that a fork publishes as itself.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const { GITHUB_SERVER_URL: server = "https://github.com", GITHUB_REPOSITORY: repository } = process.env;
if (repository === undefined) throw new Error("GITHUB_REPOSITORY says nothing");

const address = `${server}/${repository}`;
const below = path.join(import.meta.dirname, "../packages");
for (const folder of readdirSync(below)) {
  const file = path.join(below, folder, "package.json");
  const manifest = JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, unknown>>;
  const home = { homepage: `${address}#readme`, bugs: `${address}/issues` };
  const from = { type: "git", url: `git+${address}.git`, directory: `packages/${folder}` };
  writeFileSync(file, `${JSON.stringify({ ...manifest, ...home, repository: from }, undefined, 2)}\n`);
}
console.log(`${address} is where they come from`);
