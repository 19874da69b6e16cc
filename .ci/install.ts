/**
 * Installs the packed tarballs in an empty project, as a user would, and uses them: every entry point by `import` and by
 * `require`, its types under the strictest settings, ten lines that run, once on a real server, and the command.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const ROOT = path.join(import.meta.dirname, "..");
const TARBALLS = path.join(ROOT, ".artifacts/packages");

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What the ten lines are: a stack on the fake pool whose first answer is an error. */
const PROGRAM = `
import { circuitBreaker, compose, database, retry, timeout } from "breakwater";
import { emptyResult, failing, fakePool } from "@breakwater/core/testing";

const pool = fakePool((_operation, call) => {
  if (call === 1) throw failing();
  return emptyResult;
});
await using db = database(compose(timeout({ limitMs: 1_000 }), retry({ initialDelayMs: 1 }), circuitBreaker())(pool));
const { rowCount } = await db.query("SELECT 1");
if (rowCount !== 0 || pool.calls.length !== 2) throw new Error("the call was not retried");
`;

/** The preset on a real server, which the packages bring along. */
const CLUSTER = `
import { startCluster } from "@breakwater/chaos";
import { breakwater } from "breakwater";

await using cluster = await startCluster({ replicas: 0 });
await using db = breakwater({ primary: cluster.primary.connectionString });
const { rows } = await db.transaction((transaction) => transaction.query<{ two: number }>("SELECT 1 + 1 AS two"));
if (rows[0]?.two !== 2) throw new Error("the server cannot add");
`;

const CONFIG = {
  compilerOptions: {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    // The declarations of the packages are checked as well.
    skipLibCheck: false,
    types: ["node"],
    noEmit: true,
  },
};

const project = mkdtempSync(path.join(os.tmpdir(), "breakwater-install-"));

function run(what: string, command: string, parameters: readonly string[], searchPath = process.env["PATH"]): boolean {
  const env = { ...process.env, PATH: searchPath };
  const { status, stdout, stderr } = spawnSync(command, parameters, { cwd: project, encoding: "utf8", env });
  console.log(`${status === 0 ? "ok" : "FAILED"}: ${what}`);
  if (status === 0) return true;
  console.log(stdout + stderr);
  process.exitCode = 1;
  return false;
}

function complain(problem: string): void {
  console.log(`FAILED: ${problem}`);
  process.exitCode = 1;
}

/** What is in a package must be all that it names, its licence and its page, and nothing of the workspace. */
function checkContents(folder: string, text: string, manifest: Manifest): void {
  for (const file of ["README.md", "LICENSE"]) {
    if (!existsSync(path.join(folder, file))) complain(`${manifest.name} has no ${file}`);
  }
  if (/workspace:|catalog:/.test(text)) complain(`${manifest.name} refers to the workspace`);
  for (const target of Object.values(manifest.exports).flatMap((entry) => Object.values(entry))) {
    if (!existsSync(path.join(folder, target))) complain(`${manifest.name} has no ${target}`);
  }
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const file of files.filter((each) => /\.test\.|tsbuildinfo|\.env/.test(each))) {
    complain(`${manifest.name} holds ${file}`);
  }
}

try {
  const tarballs = readdirSync(TARBALLS).filter((file) => file.endsWith(".tgz"));
  const workspaces = readdirSync(path.join(ROOT, "packages"));
  if (tarballs.length !== workspaces.length) complain(`${tarballs.length} tarballs of ${workspaces.length} packages`);
  writeFileSync(path.join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const paths = tarballs.map((file) => path.join(TARBALLS, file));
  const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  const wanted = ["install", ...options, "pg", "@types/node@24", "@types/pg", ...paths];
  // npm is the machine's, with its settings; it need not be new.
  if (run("npm install", "npm", wanted, process.env["MACHINE_PATH"] ?? process.env["PATH"])) {
    const specifiers: string[] = [];
    for (const workspace of workspaces) {
      const { name } = JSON.parse(
        readFileSync(path.join(ROOT, "packages", workspace, "package.json"), "utf8"),
      ) as Manifest;
      const folder = path.join(project, "node_modules", name);
      const text = readFileSync(path.join(folder, "package.json"), "utf8");
      const manifest = JSON.parse(text) as Manifest;
      checkContents(folder, text, manifest);
      // What belongs to a test runner can only be loaded by it, and containers need an engine; the packages' own tests do that.
      const keys = Object.keys(manifest.exports).filter((key) => key !== "./vitest" && key !== "./containers");
      specifiers.push(...keys.map((key) => name + key.slice(1)));
    }
    for (const specifier of specifiers) {
      const some = `if (Object.keys(module_).length === 0) throw new Error("exports nothing");`;
      const byImport = `const module_ = await import("${specifier}"); ${some}`;
      run(`import ${specifier}`, "node", ["--input-type=module", "-e", byImport]);
      run(`require ${specifier}`, "node", ["-e", `const module_ = require("${specifier}"); ${some}`]);
    }
    writeFileSync(path.join(project, "main.ts"), PROGRAM);
    writeFileSync(path.join(project, "cluster.ts"), CLUSTER);
    run("ten lines", "node", ["main.ts"]);
    run("ten lines on a real server", "node", ["cluster.ts"]);
    run("npx breakwater chaos list", "npx", ["--no-install", "breakwater", "chaos", "list"]);
    const scenario = ["chaos", "run", "reply-loss", "--seed", "1", "--report", "report.html", "--quiet"];
    run("npx breakwater chaos run", "npx", ["--no-install", "breakwater", ...scenario]);
    const imports = specifiers.map((specifier, index) => `import * as entry${index} from "${specifier}";`);
    const uses = `export const entries: readonly object[] = [${specifiers.map((_, index) => `entry${index}`).join(", ")}];`;
    writeFileSync(path.join(project, "entries.ts"), [...imports, uses].join("\n"));
    writeFileSync(path.join(project, "tsconfig.json"), JSON.stringify({ ...CONFIG, include: ["*.ts"] }));
    run("types", "node", [path.join(ROOT, "node_modules/typescript/bin/tsc"), "-p", project]);
  }
} finally {
  rmSync(project, { recursive: true, force: true });
}
