/** A real Patroni cluster on the loopback interface, from Debian's packages: one etcd and three nodes. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const PROGRAMS = ["/usr/bin/patroni", "/usr/bin/patronictl", "/usr/bin/etcd", "/usr/bin/setpriv"];
const LIMIT_MS = 90_000;

/** Folder of the newest server that Debian has installed. */
function binaries(): string | undefined {
  return ["18", "17", "16", "15"]
    .map((version) => `/usr/lib/postgresql/${version}/bin`)
    .find((folder) => existsSync(join(folder, "pg_rewind")));
}

/** Why there can be no Patroni cluster here; undefined when there can. */
export function whyNoPatroni(): string | undefined {
  for (const program of PROGRAMS) {
    try {
      accessSync(program, constants.X_OK);
    } catch {
      return `${program} is missing: apt-get install --no-install-recommends patroni etcd-server python3-etcd`;
    }
  }
  if (binaries() === undefined) return "no PostgreSQL 15 or later in /usr/lib/postgresql";
  return process.getuid?.() === 0 ? undefined : "only root can start it as the user postgres";
}

export interface PatroniMember {
  readonly name: string;
  readonly role: string;
  readonly state: string;
  readonly port: number;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ports.push((server.address() as { port: number }).port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export class PatroniCluster implements AsyncDisposable {
  readonly urls: readonly string[];
  readonly ports: readonly number[];
  readonly #folder: string;
  readonly #names: readonly string[];
  readonly #children = new Map<string, ChildProcess>();

  private constructor(folder: string, names: readonly string[], ports: readonly number[], rest: readonly number[]) {
    this.#folder = folder;
    this.#names = names;
    this.ports = ports;
    this.urls = rest.map((port) => `http://127.0.0.1:${port}`);
  }

  /** Starts etcd and the nodes; resolves when there is a leader and all others stream. */
  static async start(): Promise<PatroniCluster> {
    const names = ["p1", "p2", "p3"];
    const [client = 0, peer = 0, ...others] = await freePorts(8);
    const [ports, rest] = [others.slice(0, 3), others.slice(3)];
    const folder = mkdtempSync(join(tmpdir(), "breakwater-patroni-"));
    chmodSync(folder, 0o755);
    const cluster = new PatroniCluster(folder, names, ports, rest);
    for (const name of ["etcd", ...names]) mkdirSync(join(folder, name), { mode: 0o700 });
    await run("chown", ["-R", "postgres:postgres", folder]);
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    const etcd = {
      "--data-dir": join(folder, "etcd"),
      "--name": "e1",
      "--listen-client-urls": url(client),
      "--advertise-client-urls": url(client),
      "--listen-peer-urls": url(peer),
      "--initial-advertise-peer-urls": url(peer),
      "--initial-cluster": `e1=${url(peer)}`,
    };
    cluster.#spawn("etcd", "KILL", ["/usr/bin/etcd", "--enable-v2=true", ...Object.entries(etcd).flat()]);
    for (const [index, name] of names.entries()) {
      writeFileSync(
        join(folder, `${name}.yml`),
        cluster.#configuration(name, ports[index] ?? 0, rest[index] ?? 0, client),
      );
      cluster.startNode(name);
    }
    try {
      await cluster.waitFor((members) => isWhole(members, names.length));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  startNode(name: string): void {
    this.#spawn(name, "TERM", ["/usr/bin/patroni", join(this.#folder, `${name}.yml`)]);
  }

  /** Ends a node as a crash of its machine would: Patroni first, so that it cannot help, then the server. */
  killNode(name: string): void {
    const pid = Number(readFileSync(join(this.#folder, name, "data", "postmaster.pid"), "utf8").split("\n")[0]);
    this.#children.get(name)?.kill("SIGKILL");
    process.kill(pid, "SIGKILL");
  }

  /** @throws Error with what `patronictl` said when it did not take place. */
  async switchover(from: string, to: string): Promise<void> {
    const file = join(this.#folder, `${from}.yml`);
    const order = ["-c", file, "switchover", "--leader", from, "--candidate", to, "--force"];
    const { stdout } = await run("/usr/bin/patronictl", order, { env: { ...process.env, LC_ALL: "C.UTF-8" } });
    if (!stdout.includes("Successfully switched over")) throw new Error(stdout);
  }

  async members(): Promise<readonly PatroniMember[]> {
    for (const url of this.urls) {
      try {
        const answer = await fetch(`${url}/cluster`, { signal: AbortSignal.timeout(1_000) });
        return ((await answer.json()) as { members: PatroniMember[] }).members;
      } catch {
        // The next one may know.
      }
    }
    return [];
  }

  /** Resolves when the members are as wanted. @throws Error with the logs' ends after 90 s. */
  async waitFor(wanted: (members: readonly PatroniMember[]) => boolean): Promise<readonly PatroniMember[]> {
    const end = performance.now() + LIMIT_MS;
    for (;;) {
      const members = await this.members();
      if (wanted(members)) return members;
      if (performance.now() > end)
        throw new Error(`not within ${LIMIT_MS} ms: ${JSON.stringify(members)}\n${this.#logs()}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const nodes = [...this.#children].filter(([name]) => name !== "etcd").map(([, child]) => child);
    await Promise.all(nodes.map((child) => ended(child, "SIGTERM")));
    const etcd = this.#children.get("etcd");
    if (etcd !== undefined) await ended(etcd, "SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawn(name: string, whenOrphaned: "KILL" | "TERM", command: readonly string[]): void {
    const user = ["--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--pdeathsig", whenOrphaned];
    const log = join(this.#folder, `${name}.log`);
    const quoted = command.map((word) => `'${word}'`).join(" ");
    const child = spawn("/usr/bin/setpriv", [...user, "/bin/sh", "-c", `exec ${quoted} >>'${log}' 2>&1`], {
      cwd: "/",
      stdio: "ignore",
      env: { PATH: process.env["PATH"], HOME: this.#folder, LC_ALL: "C" },
    });
    if (!existsSync(log)) {
      writeFileSync(log, "");
      chmodSync(log, 0o666);
    }
    this.#children.set(name, child);
  }

  #logs(): string {
    const names = ["etcd", ...this.#names];
    return names.map((name) => readFileSync(join(this.#folder, `${name}.log`), "utf8").slice(-800)).join("\n");
  }

  #configuration(name: string, port: number, rest: number, etcd: number): string {
    const own = join(this.#folder, name);
    return `scope: breakwater
name: ${name}
restapi: { listen: "127.0.0.1:${rest}", connect_address: "127.0.0.1:${rest}" }
etcd3: { host: "127.0.0.1:${etcd}" }
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 3
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    postgresql: { use_pg_rewind: true, parameters: { wal_log_hints: "on", max_connections: 100, wal_keep_size: "128MB" } }
  initdb: [ { encoding: UTF8 }, { locale: C }, { auth: trust } ]
  pg_hba: [ "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust" ]
postgresql:
  listen: "127.0.0.1:${port}"
  connect_address: "127.0.0.1:${port}"
  data_dir: "${own}/data"
  bin_dir: "${binaries()}"
  pgpass: "${own}/pgpass"
  authentication:
    superuser: { username: postgres, password: none }
    replication: { username: postgres, password: none }
    rewind: { username: postgres, password: none }
  parameters: { unix_socket_directories: "${own}", fsync: "off", shared_buffers: "32MB" }
`;
  }
}

/** Whether there is a leader and everybody else streams. */
export function isWhole(members: readonly PatroniMember[], count: number): boolean {
  return (
    members.length === count &&
    members.filter(({ role, state }) => role === "leader" && state === "running").length === 1 &&
    members.filter(({ role, state }) => role !== "leader" && (state === "streaming" || state === "running")).length ===
      count - 1
  );
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await gone;
  clearTimeout(timer);
}
