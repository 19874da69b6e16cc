/**
 * One PostgreSQL server inside a container. The container lives as long as the cluster and keeps its port; the server in it is started,
 * stopped and killed, as a machine's would be.
 */
import type { StartedTestContainer } from "testcontainers";
import { setupError, stateError } from "../../errors.ts";
import { until, within } from "../../wait.ts";
import { adminQuery } from "../admin.ts";
import { type ConfFile, roleFile, serverFiles, type ServerFiles } from "../conf.ts";
import type { AdminAccess, NodeState, ServerHost, ServerRole, StopMode } from "../provider.ts";
import { childrenOf, DATA, LOG, readTail, SHELL_SET_FILE } from "./shell.ts";

/** What a server in a container is made of. */
export interface ContainerServerOptions extends ServerFiles {
  readonly name: string;
  readonly container: StartedTestContainer;
  readonly host: string;
  readonly password: string;
  /** The name by which a server's port is reached from inside the network. */
  readonly hostOf: (port: number) => string;
}

const stopSignals = { smart: "TERM", fast: "INT", immediate: "QUIT" } as const;
const EVERYWHERE = { listens: "*", clients: "all" };

interface Running {
  readonly pid: number;
  readonly ended: Promise<void>;
}

export class ContainerServer implements ServerHost {
  readonly name: string;
  readonly access: AdminAccess;
  readonly #options: ContainerServerOptions;
  #running: Running | undefined;
  #hung = false;
  #log = "";
  // What was asked for without being awaited; an error of it comes out where the next step is awaited.
  #before: Promise<void> = Promise.resolve();

  constructor(options: ContainerServerOptions) {
    const { name, host, port, password } = options;
    this.#options = options;
    this.name = name;
    this.access = { host, port, password };
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  get state(): NodeState {
    if (this.#running === undefined) return "stopped";
    return this.#hung ? "hung" : "running";
  }

  async start(limitMs: number): Promise<void> {
    if (this.#running !== undefined) throw stateError(`${this.name} is ${this.state} already`);
    await this.#before;
    const running = await this.#begin(limitMs);
    await until(
      `${this.name} to take connections`,
      async () => {
        if (this.#running !== running) throw setupError(`${this.name} ended while starting\n${await this.#readLog()}`);
        try {
          await adminQuery(this.access, "SELECT 1", [], 5000);
          return true;
        } catch {
          await this.#readLog();
          return false;
        }
      },
      { limitMs, everyMs: 20, detail: () => this.logTail() },
    );
  }

  async stop(mode: StopMode, limitMs: number): Promise<void> {
    await this.#before;
    const running = this.#running;
    if (running === undefined) return;
    if (this.#hung) throw stateError(`${this.name} is hung and cannot stop by itself: resume() or kill() it`);
    await this.#run(`kill -${stopSignals[mode]} ${running.pid}`);
    await within(`${this.name} to stop (${mode})`, running.ended, limitMs, () => this.logTail());
  }

  async kill(): Promise<void> {
    await this.#before;
    const running = this.#running;
    if (running === undefined) return;
    // Stopped first, so that it starts no child that would be missing in the list. Gone ones are no failure.
    await this.#run(
      `kill -STOP ${running.pid}; all=$(${childrenOf(running.pid)}); kill -KILL ${running.pid} $all; true`,
    );
    await within(`${this.name} to be gone`, running.ended);
  }

  hang(): void {
    const { pid } = this.#require("hang");
    this.#hung = true;
    this.#later(`kill -STOP ${pid}; for one in $(${childrenOf(pid)}); do kill -STOP $one; done; true`);
  }

  resume(): void {
    const { pid } = this.#require("resume");
    this.#later(`for one in $(${childrenOf(pid)}); do kill -CONT $one; done; kill -CONT ${pid}`);
    this.#hung = false;
  }

  async killBackend(pid: number): Promise<void> {
    const { pid: postmaster } = this.#require("killBackend");
    const of = async (): Promise<number[]> => numbers(await this.#run(childrenOf(postmaster)));
    const children = await of();
    if (!children.includes(pid)) throw new RangeError(`pid must be a process of ${this.name}, got ${pid}`);
    await this.#run(`kill -KILL ${pid}`);
    await until(
      `${this.name} to end its processes after a crash`,
      async () => {
        const left = await of();
        return !children.some((child) => left.includes(child));
      },
      { everyMs: 10, detail: () => this.logTail() },
    );
  }

  configure(role: ServerRole): void {
    const { hostOf, password } = this.#options;
    const upstream = role.upstreamPort === undefined ? "" : hostOf(role.upstreamPort);
    const pid = this.#running?.pid;
    this.#before = this.#before.then(async () => {
      await this.#write(roleFile(this.name, role, upstream, password));
      if (pid !== undefined && this.#running?.pid === pid) await this.#run(`kill -HUP ${pid}`);
    });
    this.#before.catch(() => {});
  }

  markStandby(): void {
    if (this.#running !== undefined) throw stateError(`${this.name} must be stopped to become a standby`);
    this.#later(`: > ${DATA}/standby.signal`);
  }

  async cloneFrom(source: ServerHost): Promise<void> {
    if (this.#running !== undefined) throw stateError(`${this.name} must be stopped to be cloned`);
    await this.#before;
    const { hostOf, password } = this.#options;
    const { port } = source.access;
    await this.#run(
      `rm -rf ${DATA} && pg_basebackup -h ${hostOf(port)} -p ${port} -U postgres -D ${DATA} -X stream -c fast --no-sync`,
      { PGPASSWORD: password },
    );
    await this.writeFiles();
    this.markStandby();
    await this.#before;
  }

  logTail(): string {
    return this.#log === "" ? "" : `end of the log of ${this.name}:\n${this.#log}`;
  }

  /** Writes the files of a data directory that was just made or copied. */
  async writeFiles(): Promise<void> {
    for (const file of serverFiles(this.#options, EVERYWHERE)) await this.#write(file);
    await this.#write({ name: "postgresql.auto.conf", text: "" });
  }

  async #begin(limitMs: number): Promise<Running> {
    const { container } = this.#options;
    await this.#run(`rm -f ${DATA}/postmaster.pid`);
    const ended = container
      .exec(["sh", "-c", `exec postgres -D ${DATA} >> ${LOG} 2>&1`], { user: "postgres" })
      // The container may be gone, and its server with it.
      .then(nothing, nothing)
      .finally(() => {
        this.#running = undefined;
        this.#hung = false;
      });
    let over = false;
    void ended.then(() => (over = true));
    let pid: number | undefined;
    await until(
      `${this.name} to have a process`,
      async () => {
        if (over) throw setupError(`${this.name} ended while starting\n${await this.#readLog()}`);
        [pid] = numbers(await this.#run(`head -n 1 ${DATA}/postmaster.pid 2>/dev/null; true`));
        return pid !== undefined;
      },
      { limitMs, everyMs: 10 },
    );
    this.#running = { pid: pid ?? 0, ended };
    return this.#running;
  }

  #require(what: string): Running {
    if (this.#running === undefined) throw stateError(`${what}: ${this.name} is stopped`);
    return this.#running;
  }

  #later(script: string): void {
    this.#before = this.#before.then(() => this.#run(script)).then(nothing);
    // Whoever awaits the next step hears of it.
    this.#before.catch(nothing);
  }

  async #write({ name, text }: ConfFile): Promise<void> {
    await this.#run(SHELL_SET_FILE, { CONTENT: text, FILE: `${DATA}/${name}` });
  }

  async #readLog(): Promise<string> {
    this.#log = await this.#run(readTail).catch(() => this.#log);
    return this.logTail();
  }

  /** Runs a script of ours as the server's user; what varies comes in by the environment, never by the text. */
  async #run(script: string, env: Record<string, string> = {}): Promise<string> {
    const { container } = this.#options;
    const { exitCode, output } = await container.exec(["sh", "-c", script], { user: "postgres", env });
    if (exitCode !== 0)
      throw setupError(`${this.name}: a command in its container ended with ${exitCode}: ${output.trim()}`);
    return output;
  }
}

function numbers(text: string): number[] {
  return text
    .split(/\s+/)
    .filter((word) => /^\d+$/.test(word))
    .map(Number);
}

function nothing(): void {}
