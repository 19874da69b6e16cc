/**
 * Guards against leftovers: a separate process that ends the servers and removes the folders of this one, however it ends
 * (SIGKILL, process.exit, a crash). No signal handler and no exit hook is installed here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { setupError, stateError } from "../../errors.ts";
import { within } from "../../wait.ts";
import type { Order } from "./reaper-main.ts";
import { sweep } from "./sweep.ts";

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Reaper {
  readonly #child: ChildProcess;
  readonly #input: Socket;
  readonly #output: Socket;
  readonly #waiting = new Map<number, Waiting>();
  /** The same knowledge as the reaper's, for the case that somebody ends the reaper. */
  readonly #folders = new Map<string, Set<number>>();
  #next = 1;
  #ended: Promise<void> | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#input = child.stdin as Socket;
    this.#output = child.stdout as Socket;
    this.#input.on("error", () => {});
    this.#output.on("error", () => {});
    const lines = createInterface({ input: this.#output });
    lines.on("line", (line) => this.#settle(Number(line))?.resolve());
    const gone = (): void => {
      for (const id of this.#waiting.keys()) this.#settle(id)?.reject(stateError("the reaper process is gone"));
    };
    child.on("error", gone);
    child.on("exit", gone);
    lines.on("close", gone);
  }

  /** Resolves when the reaper listens. */
  static async start(): Promise<Reaper> {
    const program = new URL(import.meta.url.endsWith(".ts") ? "./reaper-main.ts" : "./reaper-main.js", import.meta.url);
    const child = spawn(process.execPath, [fileURLToPath(program)], {
      detached: true, // its own session: Ctrl-C in a terminal must not reach it
      cwd: "/",
      env: { PATH: process.env["PATH"], NODE_NO_WARNINGS: "1" },
      stdio: ["pipe", "pipe", "ignore"],
    });
    const reaper = new Reaper(child);
    const ready = reaper.#expect(0);
    child.unref();
    // Bun's pipe has no `unref`, and does not keep the process.
    (reaper.#input as Partial<Socket>).unref?.();
    await within("the reaper process to start", ready).catch((error: unknown) => {
      child.kill("SIGKILL");
      throw setupError("the reaper process did not start", error);
    });
    return reaper;
  }

  /** Resolves when the reaper will remove this folder, and end the servers that have their data directly below it. */
  async keep(folder: string): Promise<void> {
    this.#folders.set(folder, new Set());
    await this.#order({ folder });
  }

  /** Resolves when the reaper knows a postmaster whose data is directly below a kept folder. */
  async watch(folder: string, pid: number): Promise<void> {
    this.#folders.get(folder)?.add(pid);
    await this.#order({ folder, pid });
  }

  /** Ends all servers, removes all folders, and resolves when the reaper is gone too. Idempotent. */
  close(): Promise<void> {
    this.#ended ??= this.#close();
    return this.#ended;
  }

  async #close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.ref();
      const exit = once(this.#child, "exit");
      this.#input.end();
      await within("the reaper process to end", exit, 60_000);
    }
    this.#output.destroy();
    if (this.#child.exitCode === 0) return;
    await Promise.all([...this.#folders].map(([folder, pids]) => sweep(folder, pids)));
  }

  async #order(order: Omit<Order, "id">): Promise<void> {
    const id = this.#next++;
    const done = this.#expect(id);
    this.#input.write(`${JSON.stringify({ id, ...order })}\n`);
    await within("the reaper process to answer", done);
  }

  #expect(id: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        reject(stateError("the reaper process is gone"));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      // Only while an answer is awaited does the reaper keep this process from ending.
      this.#output.ref();
    });
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#output.unref();
    return waiting;
  }
}
