/**
 * Runs the whole stack on another runtime, from the packed tarballs: on PGlite, and on servers that the packages bring along.
 * Argument: the runtime, as npm has it, such as `node@22` or `bun`. Skipped where it cannot be had.
 */
import path from "node:path";
import { complain, installed, Project, skip } from "./project.ts";

const [runtime = ""] = process.argv.slice(2);
/** How each is told to run a program. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = { node: [], bun: [], deno: ["run", "--allow-all"] };
const [name = ""] = runtime.split("@");
const start = COMMANDS[name];
if (start === undefined) throw new Error(`there is no runtime ${runtime}: ${Object.keys(COMMANDS).join(", ")}`);

const tools = new Project();
// Its install script fetches the program for this platform.
if (!tools.npmInstall([runtime], { must: false }).ok) skip(`${runtime} cannot be had from npm here`);
const binary = path.join(tools.folder, "node_modules/.bin", name);
const version = tools.run(`${name} --version`, binary, ["--version"], { must: false });
if (!version.ok) skip(`${runtime} does not run on this machine`);
console.log(version.stdout.trim());

const project = installed();
project.program("smoke.mjs");
const PATH = [path.dirname(binary), process.env["PATH"]].join(path.delimiter);
for (const where of ["pglite", "servers"]) {
  const { ok, stdout } = project.run(`${runtime}, ${where}`, binary, [...start, "smoke.mjs", where], { env: { PATH } });
  if (ok && !stdout.includes(`${where}: ok`)) complain(`${where}: it ended before its end\n${stdout}`);
}
