/** Runs a tool to its end, as the user that the servers run as. */
import { spawn } from "node:child_process";
import { setupError } from "../../errors.ts";

/** User and group of the servers' processes and files; undefined: the same as ours. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root; "nobody" exists everywhere and needs no entry in a user table. */
export const owner: Owner | undefined = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined;

/** Nothing of the caller's environment (PGHOST, PGPASSWORD, LANG, TZ) changes what the servers do. */
export const serverEnvironment: NodeJS.ProcessEnv = { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" };

/**
 * @returns what the tool wrote to its output.
 * @throws ChaosError ERR_BREAKWATER_CHAOS_SETUP with the end of what it wrote to its error output.
 */
export function run(file: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: "/", env: serverEnvironment, stdio: "pipe", ...owner });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-4000)));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", (error) => reject(setupError(`cannot run ${file}: ${error.message}`, error)));
    child.on("close", (code, signal) => {
      if (code === 0) resolve(output);
      else reject(setupError(`${file} ended with ${signal ?? code}: ${(errors || output).trim()}`));
    });
  });
}
