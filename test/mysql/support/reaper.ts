/**
 * Ends the servers of this process and removes their folders, however it ends: a process of its own waits for the end of
 * the pipe to this one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import type { Writable } from "node:stream";

/** Reads lines: a process id, or a folder. When there are no more, it ends the processes and removes the folders. */
const PROGRAM = `
  let text = "";
  process.stdin.on("data", (data) => (text += data)).on("end", () => {
    const lines = text.split("\\n").filter(Boolean);
    for (const line of lines) if (Number(line)) try { process.kill(Number(line), "SIGKILL"); } catch {}
    setTimeout(() => {
      for (const line of lines) if (!Number(line)) require("node:fs").rmSync(line, { recursive: true, force: true });
    }, 200);
  });`;

export class Reaper {
  readonly #child: ChildProcess;
  readonly #folders: string[] = [];

  constructor() {
    this.#child = spawn(process.execPath, ["-e", PROGRAM], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    this.#child.on("error", () => undefined);
    this.#child.unref();
    (this.#child.stdin as unknown as { unref(): void }).unref();
  }

  /** The process is ended, should this one not do it. */
  watch(pid: number): void {
    this.#input.write(`${pid}\n`);
  }

  keep(folder: string): void {
    this.#folders.push(folder);
    this.#input.write(`${folder}\n`);
  }

  /** The servers have ended; their folders are removed. */
  close(): void {
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
    this.#child.kill("SIGKILL");
  }

  get #input(): Writable {
    return this.#child.stdin as Writable;
  }
}
