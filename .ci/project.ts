/**
 * An empty project outside the checkout, as a user has it, and the packed packages to install in it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** The checkout's folder. */
export const ROOT: string = path.join(import.meta.dirname, "..");

/** Where the gate `pack` puts the tarballs. */
const TARBALLS = path.join(ROOT, ".artifacts/packages");

/** What a package.json says, as far as it is looked at here. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** A package of the workspace, as it was packed. */
export interface Packed {
  readonly name: string;
  readonly version: string;
  /** Its tarball. */
  readonly file: string;
}

/** What the drivers are that somebody installs beside the packages, as he would name them. */
export const DRIVERS: readonly string[] = ["pg", "postgres", "mysql2", "@electric-sql/pglite", "@opentelemetry/api"];

/** All packages, by name. @throws Error when one has not been packed. */
export function packed(): Packed[] {
  return readdirSync(path.join(ROOT, "packages")).map((folder) => {
    const text = readFileSync(path.join(ROOT, "packages", folder, "package.json"), "utf8");
    const { name, version } = JSON.parse(text) as Manifest;
    const file = path.join(TARBALLS, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
    if (!existsSync(file)) throw new Error(`${name} is not packed: there is no ${path.basename(file)}`);
    return { name, version, file };
  });
}

/** The tarballs of some packages and of those of ours that they need, by name. */
export function tarballs(...names: readonly string[]): string[] {
  const all = packed();
  return names.map((name) => all.find((one) => one.name === name)?.file ?? `${name} is no package of ours`);
}

/** Entry points that need a peer of their own, which the empty project has not got. */
export const OPTIONAL: Readonly<Record<string, string>> = {
  "@breakwater/chaos/containers": "testcontainers",
  "@breakwater/chaos/vitest": "vitest",
};

/** All other entry points, as somebody names them who imports them. */
export function entryPoints(): string[] {
  return readdirSync(path.join(ROOT, "packages"))
    .flatMap((folder) => {
      const text = readFileSync(path.join(ROOT, "packages", folder, "package.json"), "utf8");
      const { name, exports } = JSON.parse(text) as Manifest;
      return Object.keys(exports).map((key) => name + key.slice(1));
    })
    .filter((specifier) => !(specifier in OPTIONAL));
}

/** How a command ended. */
export interface Ended {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** What `run` may be told besides the command. */
export interface RunOptions {
  /** More of the environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Longest that it may take, in milliseconds. @default 120_000 */
  readonly limitMs?: number;
  /** Whether a failure fails the gate and is told at length. @default true */
  readonly must?: boolean;
}

/** Says that the gate has failed, and goes on. */
export function complain(problem: string): void {
  console.log(`FAILED: ${problem}`);
  process.exitCode = 1;
}

/** Ends the gate as one that cannot be run here. */
export function skip(reason: string): never {
  console.log(reason);
  process.exit(75);
}

/** A folder with an empty project. */
export class Project {
  readonly folder: string;

  /** @param folder - one that is kept; without it, a new one, which is removed when the process ends */
  constructor(folder?: string) {
    const own = folder ?? mkdtempSync(path.join(os.tmpdir(), "breakwater-project-"));
    if (folder === undefined) process.once("exit", () => rmSync(own, { recursive: true, force: true }));
    this.folder = own;
    mkdirSync(this.folder, { recursive: true });
    this.write("package.json", { name: "project", version: "1.0.0", private: true, type: "module" });
  }

  /** Writes a file: an object as JSON. */
  write(name: string, contents: string | object): void {
    const text = typeof contents === "string" ? contents : JSON.stringify(contents, undefined, 2);
    writeFileSync(path.join(this.folder, name), text);
  }

  /** Puts one of the programs beside this file in the project. */
  program(name: string): void {
    this.write(name, readFileSync(path.join(import.meta.dirname, "programs", name), "utf8"));
  }

  /** Runs a command in the project, and says how it went. */
  run(what: string, command: string, parameters: readonly string[], options: RunOptions = {}): Ended {
    const { env = {}, limitMs = 120_000, must = true } = options;
    const began = performance.now();
    const ended = spawnSync(command, parameters, {
      cwd: this.folder,
      encoding: "utf8",
      env: { ...process.env, ...env },
      timeout: limitMs,
      killSignal: "SIGKILL",
      maxBuffer: 2 ** 26,
    });
    const seconds = (performance.now() - began) / 1_000;
    const { error, signal } = ended;
    // Where the command could not even be started, there is none, whatever the types say.
    const [stdout, stderr] = [ended.stdout, ended.stderr].map(String) as [string, string];
    const ok = ended.status === 0;
    console.log(`${ok ? "ok" : must ? "FAILED" : "ended"}: ${what}, ${seconds.toFixed(1)} s`);
    if (!ok && must) {
      console.log(stdout + stderr + (error?.message ?? "") + (signal === null ? "" : ` (${signal})`));
      process.exitCode = 1;
    }
    return { ok, stdout, stderr, seconds };
  }

  /** Installs by npm, which is the machine's, with its settings; it need not be new. */
  npmInstall(what: readonly string[], options: RunOptions = {}): Ended {
    const env = { PATH: process.env["MACHINE_PATH"] ?? process.env["PATH"], ...options.env };
    return this.run("npm install", "npm", ["install", ...NPM_OPTIONS, ...what], { limitMs: 240_000, ...options, env });
  }
}

const NPM_OPTIONS = ["--no-audit", "--no-fund", "--loglevel=error"];

/**
 * A project with all packages and drivers, installed by npm: the one that the gate `install` left where the environment's
 * BREAKWATER_PROJECT says, or a new one.
 */
export function installed(): Project {
  const folder = process.env["BREAKWATER_PROJECT"];
  const isThere = folder !== undefined && existsSync(path.join(folder, "node_modules/breakwater"));
  const project = new Project(folder);
  if (isThere) return project;
  const { ok } = project.npmInstall(["--ignore-scripts", ...DRIVERS, ...packed().map((one) => one.file)]);
  if (!ok) process.exit(1);
  return project;
}
