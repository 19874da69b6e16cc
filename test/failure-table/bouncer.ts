/** A real PgBouncer in front of a node. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import type { ClusterNode } from "@breakwater/chaos";
import pg from "pg";

import { until } from "./lab.ts";

/** A PgBouncer of the machine. */
export interface BouncerBinary {
  readonly file: string;
  readonly version: string;
  /** From 1.21 on it can keep what its clients prepare. */
  readonly keeps: boolean;
}

/** Those that are named, those that are installed, and those that `.ci/machine` has built. */
const PLACES = [
  ...(process.env["BREAKWATER_PGBOUNCER"] ?? "").split(path.delimiter),
  "/usr/sbin/pgbouncer",
  "/usr/bin/pgbouncer",
  ...built(),
];

/** All that the machine has, the one that was named first before all others. */
export const bouncerBinaries: readonly BouncerBinary[] = PLACES.flatMap((file) => {
  const { status, stdout } = file === "" ? {} : spawnSync(file, ["--version"], { encoding: "utf8" });
  const [, version, minor] = /^PgBouncer (1\.(\d+)\S*)/i.exec(stdout ?? "") ?? [];
  return status !== 0 || version === undefined ? [] : [{ file, version, keeps: Number(minor) >= 21 }];
});

/** The machine's PgBouncer; undefined where it has none. */
export const bouncerBinary: string | undefined = bouncerBinaries[0]?.file;

function built(): string[] {
  try {
    return readdirSync("/opt")
      .filter((name) => name.startsWith("pgbouncer-"))
      .map((name) => path.join("/opt", name, "bin/pgbouncer"));
  } catch {
    return [];
  }
}

type Settings = Readonly<Record<string, string | number>>;

/** A running PgBouncer. */
export interface Bouncer {
  readonly port: number;
  /** Reads its file again, as by RELOAD; with other settings, if given. */
  reload(settings?: Settings): void;
  /** A command on its console, such as PAUSE. */
  command(text: string): Promise<void>;
  /** Asks it to end, as it is asked before a new one takes over; resolves when it has. */
  leave(signal: NodeJS.Signals): Promise<void>;
  stop(): void;
}

/**
 * Starts it in transaction mode, with one server connection unless said; resolves when it takes clients. It reaches the
 * node past its proxy unless `through` names the proxy's port.
 */
export async function startBouncer(
  node: ClusterNode,
  settings: Settings,
  through: number = node.directPort,
  binary: string = bouncerBinary ?? "",
): Promise<Bouncer> {
  const port = Number(settings["listen_port"] ?? (await freePort()));
  const folder = mkdtempSync(path.join(tmpdir(), "breakwater-bouncer-"));
  const base: Settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "any",
    pool_mode: "transaction",
    default_pool_size: 1,
    server_login_retry: 1,
    ...settings,
  };
  const configure = (all: Settings): void => {
    const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
    const database = `postgres = host=127.0.0.1 port=${through} dbname=postgres user=postgres`;
    writeFileSync(path.join(folder, "bouncer.ini"), `[databases]\n${database}\n[pgbouncer]\n${lines.join("\n")}\n`);
  };
  configure(base);
  // It refuses to run as root, and then has to be able to read its own file.
  chmodSync(folder, 0o755);
  const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child = spawn(binary, [path.join(folder, "bouncer.ini")], { ...owner, cwd: "/", stdio: "ignore" });
  await until("PgBouncer to listen", () => answers(child, port));
  return {
    port,
    reload: (changed = {}) => {
      configure({ ...base, ...changed });
      child.kill("SIGHUP");
    },
    command: async (text) => {
      const console = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "pgbouncer" });
      await console.connect();
      try {
        await console.query(text);
      } finally {
        await console.end();
      }
    },
    leave: async (signal) => {
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    },
    stop: () => {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(child: ChildProcess, port: number): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}`);
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  client.on("error", () => {});
  const up = await client.connect().then(
    () => true,
    () => false,
  );
  await client.end().catch(() => undefined);
  return up;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  await new Promise((resolve) => server.close(resolve));
  return port;
}
