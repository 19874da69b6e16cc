/** A real PgBouncer in front of a node. */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import type { ClusterNode } from "@breakwater/chaos";
import pg from "pg";

import { until } from "./lab.ts";

const PLACES = [process.env["BREAKWATER_PGBOUNCER"] ?? "", "/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];

/** The machine's PgBouncer; undefined where it has none. */
export const bouncerBinary: string | undefined = PLACES.find((file) => {
  try {
    accessSync(file, constants.X_OK);
    return file !== "";
  } catch {
    return false;
  }
});

/** A running PgBouncer. */
export interface Bouncer {
  readonly port: number;
  /** Reads its file again, as by RELOAD. */
  reload(): void;
  stop(): void;
}

/**
 * Starts it in transaction mode, with one server connection unless said; resolves when it takes clients. It reaches the
 * node past its proxy unless `through` names the proxy's port.
 */
export async function startBouncer(
  node: ClusterNode,
  settings: Readonly<Record<string, string | number>>,
  through: number = node.directPort,
): Promise<Bouncer> {
  const port = Number(settings["listen_port"] ?? (await freePort()));
  const folder = mkdtempSync(path.join(tmpdir(), "breakwater-bouncer-"));
  const all = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "any",
    pool_mode: "transaction",
    default_pool_size: 1,
    server_login_retry: 1,
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  const database = `postgres = host=127.0.0.1 port=${through} dbname=postgres user=postgres`;
  writeFileSync(path.join(folder, "bouncer.ini"), `[databases]\n${database}\n[pgbouncer]\n${lines.join("\n")}\n`);
  // It refuses to run as root, and then has to be able to read its own file.
  chmodSync(folder, 0o755);
  const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child = spawn(bouncerBinary ?? "", [path.join(folder, "bouncer.ini")], { ...owner, cwd: "/", stdio: "ignore" });
  await until("PgBouncer to listen", () => answers(child, port));
  return {
    port,
    reload: () => void child.kill("SIGHUP"),
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
