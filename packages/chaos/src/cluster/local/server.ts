/** One PostgreSQL server as a tree of processes on this machine. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { setupError, stateError } from "../../errors.ts";
import { until, within } from "../../wait.ts";
import { adminQuery } from "../admin.ts";
import type { ServerFiles } from "../conf.ts";
import type { AdminAccess, NodeState, ServerHost, ServerRole, StopMode } from "../provider.ts";
import type { Binaries } from "./binaries.ts";
import { cloneRunning } from "./clone.ts";
import { write, writeRole, writeServerFiles } from "./files.ts";
import { childrenOf, isAlive, signal, stopAll } from "./processes.ts";
import type { Reaper } from "./reaper.ts";
import { owner, serverEnvironment } from "./run.ts";
import { readPidFile, removeData } from "./sweep.ts";

export interface LocalServerOptions extends ServerFiles {
  readonly name: string;
  /** Folder of the whole cluster, kept by the reaper; data and log are directly below it. */
  readonly folder: string;
  readonly binaries: Binaries;
  readonly reaper: Reaper;
}

const stopSignals = { smart: "SIGTERM", fast: "SIGINT", immediate: "SIGQUIT" } as const;

interface Running {
  readonly pid: number;
  readonly ended: Promise<void>;
}

export class LocalServer implements ServerHost {
  readonly name: string;
  readonly access: AdminAccess;
  readonly data: string;
  readonly #options: LocalServerOptions;
  readonly #log: string;
  #running: Running | undefined;
  #hung = false;

  constructor(options: LocalServerOptions) {
    this.#options = options;
    this.name = options.name;
    this.access = { port: options.port, password: options.password };
    this.data = path.join(options.folder, options.name);
    this.#log = path.join(options.folder, `${options.name}.log`);
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  get state(): NodeState {
    if (this.#running === undefined) return "stopped";
    return this.#hung ? "hung" : "running";
  }

  /** Writes the files of a data directory that was just copied here. */
  writeFiles(): void {
    writeServerFiles(this.data, this.#options);
    write(path.join(this.data, "postgresql.auto.conf"), "");
  }

  async start(limitMs: number): Promise<void> {
    if (this.#running !== undefined) throw stateError(`${this.name} is ${this.state} already`);
    const running = await this.#spawn();
    await this.#options.reaper.watch(this.#options.folder, running.pid);
    await until(
      `${this.name} to take connections`,
      async () => {
        if (this.#running !== running) throw setupError(`${this.name} ended while starting\n${this.logTail()}`);
        const file = readPidFile(this.data);
        if (file?.pid !== running.pid || file.status !== "ready") return false;
        await adminQuery(this.access, "SELECT 1", [], 5000);
        return true;
      },
      { limitMs, everyMs: 5, detail: () => this.logTail() },
    );
  }

  async stop(mode: StopMode, limitMs: number): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    if (this.#hung) throw stateError(`${this.name} is hung and cannot stop by itself: resume() or kill() it`);
    signal(running.pid, stopSignals[mode]);
    await within(`${this.name} to stop (${mode})`, running.ended, limitMs, () => this.logTail());
  }

  async kill(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    // Stopped first, so that it starts no child that would be missing in the list.
    stopAll([running.pid]);
    const children = childrenOf(running.pid);
    // Children end by themselves when the postmaster is gone, but one that computes notices late, and a hung one never.
    for (const pid of [running.pid, ...children]) signal(pid, "SIGKILL");
    await within(`${this.name} to be gone`, running.ended);
    await until(`the processes of ${this.name} to be gone`, () => !children.some(isAlive), { everyMs: 2 });
  }

  hang(): void {
    const { pid } = this.#require("hang");
    this.#hung = true;
    stopAll([pid]); // first, so that it starts no more children; they are sessions of their own
    stopAll(childrenOf(pid));
  }

  resume(): void {
    const { pid } = this.#require("resume");
    for (const child of childrenOf(pid)) signal(child, "SIGCONT");
    signal(pid, "SIGCONT");
    this.#hung = false;
  }

  async killBackend(pid: number): Promise<void> {
    const children = childrenOf(this.#require("killBackend").pid);
    if (!children.includes(pid)) throw new RangeError(`pid must be a process of ${this.name}, got ${pid}`);
    signal(pid, "SIGKILL");
    await until(`${this.name} to end its processes after a crash`, () => !children.some(isAlive), {
      everyMs: 2,
      detail: () => this.logTail(),
    });
  }

  /** Resolves when no process runs that was started here. */
  async ended(): Promise<void> {
    await this.#running?.ended;
  }

  configure(role: ServerRole): void {
    writeRole(this.data, this.name, role, this.access.password);
    if (this.#running !== undefined) signal(this.#running.pid, "SIGHUP");
  }

  markStandby(): void {
    if (this.#running !== undefined) throw stateError(`${this.name} must be stopped to become a standby`);
    write(path.join(this.data, "standby.signal"), "");
  }

  async cloneFrom(source: ServerHost): Promise<void> {
    if (this.#running !== undefined) throw stateError(`${this.name} must be stopped to be cloned`);
    if (!(source instanceof LocalServer)) throw stateError(`${source.name} does not run on this machine`);
    await removeData(this.data);
    await cloneRunning(source.access, source.data, this.data);
    this.writeFiles();
    this.markStandby();
  }

  logTail(lines = 20): string {
    try {
      const end = readFileSync(this.#log, "utf8").trimEnd().split("\n").slice(-lines);
      return [`end of the log of ${this.name}:`, ...end].join("\n");
    } catch {
      return "";
    }
  }

  #require(what: string): Running {
    if (this.#running === undefined) throw stateError(`${what}: ${this.name} is stopped`);
    return this.#running;
  }

  async #spawn(): Promise<Running> {
    const log = openSync(this.#log, "a");
    const child = spawn(path.join(this.#options.binaries.folder, "postgres"), ["-D", this.data], {
      cwd: "/",
      detached: true, // Ctrl-C in a terminal is for the tests; the reaper ends the servers
      env: serverEnvironment,
      stdio: ["ignore", log, log],
      ...owner,
    });
    closeSync(log);
    if (child.pid === undefined) {
      const [error] = (await once(child, "error")) as [Error];
      throw setupError(`cannot start ${this.name}: ${error.message}`, error);
    }
    const ended = new Promise<void>((resolve) => {
      child.once("exit", () => {
        this.#running = undefined;
        this.#hung = false;
        resolve();
      });
    });
    this.#running = { pid: child.pid, ended };
    return this.#running;
  }
}
