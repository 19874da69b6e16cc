/**
 * Installs the packed tarballs in an empty project, as a user would, and uses them. Argument: the package manager.
 *
 * Everywhere: every entry point by `import` and by `require`, the whole stack on PGlite and on a real server, the command.
 * With npm, once and for all: what is in the packages, their types, and what is said when an optional peer is missing.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import {
  complain,
  DRIVERS,
  entryPoints,
  type Manifest,
  OPTIONAL,
  type Packed,
  packed,
  Project,
  ROOT,
  skip,
  tarballs,
} from "./project.ts";

/** How a package manager is started, installs a package.json, and runs a program. */
interface Manager {
  /** The package that is it, and its settings in the project. */
  readonly files: (ours: Readonly<Record<string, string>>) => Readonly<Record<string, string | object>>;
  readonly command: readonly string[];
  readonly install: readonly string[];
  /** What stands before `node …`, where node alone does not find the packages. */
  readonly run?: readonly string[];
}

/** Of what the machine is, not the workspace: npm and what it starts. */
const MACHINE = { PATH: process.env["MACHINE_PATH"] ?? process.env["PATH"] };

/** What a registry that cannot be reached is told by. */
const UNREACHABLE =
  /YN0035|YN0041|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|RequestError|ERR_PNPM_META_FETCH_FAIL/;

/** Yarn 2 and later, which does not read npm's settings. Nothing is kept outside the project. */
function yarn(nodeLinker: string): Manager {
  const asked = spawnSync("npm", ["config", "get", "registry"], {
    encoding: "utf8",
    env: { ...process.env, ...MACHINE },
  });
  const registry = /^https?:\S+$/m.exec(asked.stdout ?? "")?.[0];
  const settings = [
    `nodeLinker: ${nodeLinker}`,
    "enableScripts: false",
    "enableTelemetry: false",
    "enableGlobalCache: false",
    "enableImmutableInstalls: false",
    ...(registry === undefined ? [] : [`npmRegistryServer: "${registry}"`, 'unsafeHttpWhitelist: ["*"]']),
  ];
  const command = ["npx", "-y", "@yarnpkg/cli-dist@4"];
  return {
    files: (ours) => ({
      "package.json": manifest(ours, { resolutions: ours }),
      ".yarnrc.yml": `${settings.join("\n")}\n`,
      // What says that the project is one of its own.
      "yarn.lock": "",
    }),
    command,
    install: ["install"],
    ...(nodeLinker === "pnp" ? { run: command } : {}),
  };
}

const MANAGERS: Readonly<Record<string, () => Manager>> = {
  yarn: () => yarn("node-modules"),
  "yarn-pnp": () => yarn("pnp"),
  pnpm: () => ({
    files: (ours) => ({
      "package.json": manifest(ours),
      // JSON is YAML. Not the store of the machine: a tarball of the same name may have been another an hour ago.
      "pnpm-workspace.yaml": { overrides: ours, storeDir: "./.store" },
    }),
    command: ["npx", "-y", "pnpm"],
    install: ["install", "--ignore-scripts", "--no-frozen-lockfile"],
  }),
  "yarn-classic": () => ({
    files: (ours) => ({ "package.json": manifest(ours, { resolutions: ours }) }),
    command: ["npx", "-y", "yarn@1.22"],
    // The Node that runs Yarn is the machine's, and may be older than the packages ask for; what runs them is not.
    install: [
      "install",
      "--ignore-scripts",
      "--non-interactive",
      "--no-lockfile",
      "--ignore-engines",
      "--cache-folder",
      "./.cache",
    ],
  }),
};

/** The drivers, as they are named for npm, with the range that stands for any version. */
const ANY_DRIVER = Object.fromEntries([...DRIVERS, "@types/node", "@types/pg"].map((name) => [name, "*"]));

function manifest(ours: Readonly<Record<string, string>>, more: object = {}): object {
  const dependencies = { ...ours, ...ANY_DRIVER };
  return { name: "project", version: "1.0.0", private: true, type: "module", dependencies, ...more };
}

/** What every installation must be able to do. */
function use(project: Project, specifiers: readonly string[], run: readonly string[] = []): void {
  const node = (what: string, ...parameters: string[]) => {
    const [command = "", ...rest] = [...run, "node", ...parameters];
    project.run(what, command, rest);
  };
  for (const program of ["import.mjs", "require.cjs", "smoke.mjs"]) project.program(program);
  node(`import of ${specifiers.length} entry points`, "import.mjs", ...specifiers);
  node(`require of ${specifiers.length} entry points`, "require.cjs", ...specifiers);
  node("the stack on PGlite", "smoke.mjs", "pglite");
  node("the stack on servers", "smoke.mjs", "servers");
}

/** What is in a package must be all that it names, its licence and its page, and nothing of the workspace. */
function checkContents(project: Project, { name }: Packed): void {
  const folder = path.join(project.folder, "node_modules", name);
  const text = readFileSync(path.join(folder, "package.json"), "utf8");
  const { exports } = JSON.parse(text) as Manifest;
  for (const file of ["README.md", "LICENSE"]) {
    if (!existsSync(path.join(folder, file))) complain(`${name} has no ${file}`);
  }
  if (/workspace:|catalog:/.test(text)) complain(`${name} refers to the workspace`);
  for (const target of Object.values(exports).flatMap((entry) => Object.values(entry))) {
    if (!existsSync(path.join(folder, target))) complain(`${name} has no ${target}`);
  }
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const file of files.filter((each) => /\.test\.|tsbuildinfo|\.env/.test(each))) complain(`${name} holds ${file}`);
}

/** The strictest settings; the declarations of the packages are checked as well. */
const STRICT = {
  target: "es2023",
  lib: ["es2023", "esnext.disposable"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  types: ["node"],
  noEmit: true,
};

/** The types of every entry point, seen from a module and from CommonJS, by today's compiler and by an older one. */
function checkTypes(project: Project, specifiers: readonly string[]): void {
  const all = `export const entries: readonly object[] = [${specifiers.map((_, index) => `entry${index}`).join(", ")}];\n`;
  const imports = specifiers.map((specifier, index) => `import * as entry${index} from "${specifier}";\n`);
  const requires = specifiers.map((specifier, index) => `import entry${index} = require("${specifier}");\n`);
  project.write("entries.ts", imports.join("") + all);
  project.write("entries.cts", requires.join("") + all);
  const programs = ["ten-lines.ts", "cluster.ts", "start.ts", "replicas.ts"];
  const views = [
    { name: "nodenext", files: ["entries.ts", "entries.cts", ...programs], options: { module: "nodenext" } },
    { name: "bundler", files: ["entries.ts", ...programs], options: { module: "esnext", moduleResolution: "bundler" } },
  ];
  const compilers = [
    { name: "of today", file: path.join(ROOT, "node_modules/typescript/bin/tsc") },
    { name: "5.9", file: path.join(project.folder, "node_modules/typescript/bin/tsc") },
  ];
  for (const { name, files, options } of views) {
    project.write(`tsconfig.${name}.json`, { compilerOptions: { ...STRICT, ...options }, files });
    for (const compiler of compilers) {
      project.run(`types, ${name}, TypeScript ${compiler.name}`, "node", [
        compiler.file,
        "-p",
        `tsconfig.${name}.json`,
      ]);
    }
  }
}

/** Runs what must fail for want of a peer, and looks for the name of what is missing. */
function checkMissing(project: Project, command: string, parameters: readonly string[], missing: string): void {
  const { ok, stdout, stderr } = project.run(`what is said without ${missing}`, command, parameters, { must: false });
  if (ok || !(stdout + stderr).includes(missing)) complain(`nothing is said of ${missing}:\n${stdout}${stderr}`);
}

function byNpm(): void {
  const project = new Project(process.env["BREAKWATER_PROJECT"]);
  const paths = packed().map((one) => one.file);
  const { ok } = project.npmInstall([
    "--ignore-scripts",
    ...DRIVERS,
    "@types/node@24",
    "@types/pg",
    "typescript@5.9",
    ...paths,
  ]);
  if (!ok) return;
  for (const one of packed()) checkContents(project, one);
  const specifiers = entryPoints();
  use(project, specifiers);
  for (const program of ["ten-lines.ts", "cluster.ts", "start.ts", "replicas.ts"]) project.program(program);
  project.run("ten lines", "node", ["ten-lines.ts"]);
  project.run("ten lines on a real server", "node", ["cluster.ts"]);
  const scenario = ["chaos", "run", "reply-loss", "--seed", "1", "--report", "report.html", "--quiet"];
  project.run("npx breakwater chaos list", "npx", ["--no-install", "breakwater", "chaos", "list"]);
  project.run("npx breakwater chaos run", "npx", ["--no-install", "breakwater", ...scenario]);
  checkTypes(project, specifiers);
  for (const [specifier, missing] of Object.entries(OPTIONAL)) {
    checkMissing(project, "node", ["import.mjs", specifier], missing);
    checkMissing(project, "node", ["require.cjs", specifier], missing);
  }
  withoutPeers();
}

/** What most people install: the preset and its driver come with one name, and the rest is asked for by name. */
function withoutPeers(): void {
  const project = new Project();
  const ours = ["breakwater", "core", "pg", "policies", "postgres"].map((name) =>
    name === "breakwater" ? name : `@breakwater/${name}`,
  );
  if (!project.npmInstall(["--ignore-scripts", ...tarballs(...ours)]).ok) return;
  for (const program of ["import.mjs", "require.cjs"]) project.program(program);
  project.run("import without optional peers", "node", ["import.mjs", "breakwater", "breakwater/pg"]);
  project.run("require without optional peers", "node", ["require.cjs", "breakwater", "breakwater/pg"]);
  project.run("npx breakwater --version", "npx", ["--no-install", "breakwater", "--version"]);
  checkMissing(
    project,
    "npx",
    ["--no-install", "breakwater", "chaos", "list"],
    "npm install --save-dev @breakwater/chaos",
  );
  const there = readdirSync(path.join(project.folder, "node_modules/@breakwater"));
  if (there.includes("chaos")) complain("the kit is installed although nobody asked for it");
}

function by(name: string, manager: Manager): void {
  const [command = "", ...start] = manager.command;
  const env = { ...MACHINE, COREPACK_ENABLE_STRICT: "0" };
  const project = new Project();
  // Where the package manager itself cannot be had, nothing can be said of it.
  const { ok, stdout, stderr } = project.run(`${name} --version`, command, [...start, "--version"], {
    env,
    must: false,
  });
  if (!ok) skip(`${name} cannot be had here: ${(stderr || stdout).trim().split("\n").at(-1) ?? ""}`);
  console.log(stdout.trim());
  const ours = Object.fromEntries(packed().map((one) => [one.name, `file:${one.file}`]));
  for (const [file, contents] of Object.entries(manager.files(ours))) project.write(file, contents);
  const install = [...start, ...manager.install];
  const result = project.run(`${name} install`, command, install, { env, limitMs: 240_000, must: false });
  const said = result.stdout + result.stderr;
  if (!result.ok && UNREACHABLE.test(said)) skip(`${name} does not reach the registry`);
  if (!result.ok) return complain(`${name} install\n${said}`);
  use(project, entryPoints(), manager.run);
}

const [name = "npm"] = process.argv.slice(2);
const manager = MANAGERS[name]?.();
if (name === "npm") byNpm();
else if (manager === undefined)
  throw new Error(`there is no package manager ${name}: npm, ${Object.keys(MANAGERS).join(", ")}`);
else by(name, manager);
