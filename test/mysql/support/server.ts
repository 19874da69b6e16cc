/**
 * One MariaDB server of this machine's own binaries: started, stopped, killed.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { createConnection } from "mysql2/promise";
import { until } from "../../support/wait.ts";
import type { Reaper } from "./reaper.ts";

const BINARY = ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/bin/mariadbd"].find((file) => existsSync(file));
const INSTALLER = ["/usr/bin/mariadb-install-db", "/usr/local/bin/mariadb-install-db"].find((file) => existsSync(file));

/** Why nothing can be run against a real server here; undefined when it can. */
export const WHY_NOT: string | undefined =
  BINARY === undefined || INSTALLER === undefined ? "there is no mariadbd on this machine" : undefined;

/** Ends the title of tests that need a server: says, where they are skipped, why they are. */
export const SKIPPED: string = WHY_NOT === undefined ? "" : ` (skipped: ${WHY_NOT})`;

/** MariaDB refuses to run as root; "nobody" exists everywhere. */
export const OWNER: { readonly uid: number; readonly gid: number } | undefined =
  process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined;

/** Who applications log in as: may do anything to the data, and nothing to the server. */
export const USER = "app";
export const DATABASE = "app";

/** Run at each start, and not replicated: each server has its own copy of the accounts. */
const ACCOUNTS = `SET sql_log_bin = 0;
CREATE DATABASE IF NOT EXISTS app;
CREATE USER IF NOT EXISTS app@'%';
GRANT ALL ON app.* TO app@'%';
CREATE USER IF NOT EXISTS other@'%' IDENTIFIED BY 'secret';
GRANT ALL ON app.* TO other@'%';
CREATE USER IF NOT EXISTS replicator@'%';
GRANT REPLICATION SLAVE ON *.* TO replicator@'%';
`;

export interface ServerOptions {
  readonly id: number;
  readonly port: number;
  /** Its own folder, which exists. */
  readonly folder: string;
  /** Further arguments. */
  readonly more?: readonly string[];
}

export class MariaServer {
  readonly id: number;
  /** Where it listens itself, on 127.0.0.1. */
  readonly port: number;
  readonly folder: string;
  readonly #reaper: Reaper;
  readonly #more: readonly string[];
  #process: ChildProcess | undefined;
  #log = "";

  constructor(options: ServerOptions, reaper: Reaper) {
    this.id = options.id;
    this.port = options.port;
    this.folder = options.folder;
    this.#more = options.more ?? [];
    this.#reaper = reaper;
  }

  get data(): string {
    return path.join(this.folder, "data");
  }

  get socket(): string {
    return path.join(this.folder, "s");
  }

  get running(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  /** Makes an empty data folder. */
  async install(): Promise<void> {
    await promisify(execFile)(
      INSTALLER as string,
      ["--no-defaults", `--datadir=${this.data}`, "--auth-root-authentication-method=normal", "--skip-test-db"],
      { ...OWNER, cwd: "/", env: { PATH: process.env["PATH"], LC_ALL: "C" } },
    );
  }

  /** Takes a copy of the data of a server that does not run. */
  async copy(from: MariaServer): Promise<void> {
    await promisify(execFile)("cp", ["-a", from.data, this.data], { ...OWNER, cwd: "/" });
  }

  async start(...more: readonly string[]): Promise<void> {
    const accounts = path.join(this.folder, "accounts.sql");
    writeFileSync(accounts, ACCOUNTS);
    this.#process = spawn(
      BINARY as string,
      [
        "--no-defaults",
        `--datadir=${this.data}`,
        `--port=${this.port}`,
        "--bind-address=127.0.0.1",
        `--socket=${this.socket}`,
        `--pid-file=${path.join(this.folder, "pid")}`,
        `--init-file=${accounts}`,
        `--server-id=${this.id}`,
        "--log-bin=binlog",
        "--log-slave-updates",
        "--gtid-strict-mode=ON",
        "--binlog-format=ROW",
        "--innodb-buffer-pool-size=32M",
        "--innodb-flush-log-at-trx-commit=1",
        "--sync-binlog=0",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        ...this.#more,
        ...more,
      ],
      {
        ...OWNER,
        cwd: "/",
        env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" },
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    this.#process.stderr
      ?.setEncoding("utf8")
      .on("data", (text: string) => (this.#log = (this.#log + text).slice(-4_000)));
    this.#process.unref();
    (this.#process.stderr as unknown as { unref(): void }).unref();
    this.#reaper.watch(this.#process.pid ?? 0);
    await until(
      () => `server ${this.id} to be ready: ${this.#log}`,
      async () => {
        if (!this.running) throw new Error(`server ${this.id} ended: ${this.#log}`);
        return await this.query("SELECT 1").then(
          () => true,
          () => false,
        );
      },
    );
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.running) return;
    child.ref();
    const gone = once(child, "exit");
    child.kill("SIGCONT");
    child.kill(signal);
    await gone;
  }

  /** Asks as an administrator, past all proxies; a connection for each question. */
  query<Row = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<Row[]> {
    return this.ask<Row>(undefined, text, values);
  }

  /** The same in a database. */
  async ask<Row = Record<string, unknown>>(
    database: string | undefined,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    const connection = await createConnection({
      socketPath: this.socket,
      user: "root",
      multipleStatements: true,
      ...(database === undefined ? {} : { database }),
      connectTimeout: 5_000,
    });
    try {
      const [rows] = await connection.query(text, [...values]);
      return rows as Row[];
    } finally {
      connection.destroy();
    }
  }
}
