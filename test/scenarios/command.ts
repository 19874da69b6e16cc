/** The command as people run it: a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { ROOT } from "../packages/tree.ts";

const MAIN = path.join(ROOT, "packages/breakwater/src/cli/main.ts");

/** What it said, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when it has said so. @throws when it ends before. */
  said(pattern: RegExp): Promise<void>;
}

/** Starts `breakwater …` in a folder. */
export function start(cwd: string, ...args: readonly string[]): Running {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let error = "";
  const listeners = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    for (const listener of listeners) listener();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    error += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, out, error }));
  });
  const said = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(out)) return;
        listeners.delete(look);
        resolve();
      };
      listeners.add(look);
      void ended.then(({ code }) => reject(new Error(`ended with ${code} before it said ${pattern}: ${out}${error}`)));
      look();
    });
  return { child, ended, said };
}

/** Runs `breakwater …` in a folder to its end. */
export function command(cwd: string, ...args: readonly string[]): Promise<Ended> {
  return start(cwd, ...args).ended;
}
