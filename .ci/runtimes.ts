/**
 * Uses the packed tarballs on another runtime: every entry point by `import` and by `require`, and the whole stack, on PGlite
 * and on servers that the packages bring along.
 * Argument: the runtime, as npm has it, such as `node@22` or `bun`. Skipped where it cannot be had.
 */
import path from "node:path";
import { complain, entryPoints, installed, Project, skip } from "./project.ts";

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
for (const program of ["import.mjs", "require.cjs", "smoke.mjs"]) project.program(program);
const PATH = [path.dirname(binary), process.env["PATH"]].join(path.delimiter);
for (const program of ["import.mjs", "require.cjs"]) {
  project.run(`${runtime}, ${program}`, binary, [...start, program, ...entryPoints()], { env: { PATH } });
}
for (const where of ["pglite", "servers"]) {
  const { ok, stdout } = project.run(`${runtime}, ${where}`, binary, [...start, "smoke.mjs", where], { env: { PATH } });
  if (ok && !stdout.includes(`${where}: ok`)) complain(`${where}: it ended before its end\n${stdout}`);
}
