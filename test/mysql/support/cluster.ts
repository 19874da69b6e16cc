/**
 * A MariaDB primary and a replica that follows it by GTID, each behind a proxy whose address stays the same.
 */
import { type FaultProxy, startProxy } from "@breakwater/chaos";
import { chmodSync, chownSync, mkdirSync, mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { until } from "../../support/wait.ts";
import { Reaper } from "./reaper.ts";
import { DATABASE, MariaServer, OWNER, USER } from "./server.ts";

export interface MariaClusterOptions {
  /** @default 1 */
  readonly replicas?: number;
  /**
   * Whether COMMIT is acknowledged only when a replica has it: then a failover loses nothing that was acknowledged.
   * @default false
   */
  readonly semiSync?: boolean;
  /** Further arguments of every server. */
  readonly more?: readonly string[];
}

/** A server and the proxy before it. */
export interface MariaNode {
  readonly server: MariaServer;
  readonly proxy: FaultProxy;
  /** How applications reach it. */
  readonly config: { readonly host: string; readonly port: number; readonly user: string; readonly database: string };
}

const SEMI_SYNC = [
  "--rpl-semi-sync-slave-enabled=ON",
  "--rpl-semi-sync-master-wait-point=AFTER_SYNC",
  // Better to wait than to acknowledge what only one server has.
  "--rpl-semi-sync-master-timeout=600000",
];

export class MariaCluster implements AsyncDisposable {
  readonly nodes: readonly MariaNode[];
  #primary: MariaNode;
  readonly #reaper: Reaper;

  constructor(nodes: readonly [MariaNode, ...MariaNode[]], reaper: Reaper) {
    this.nodes = nodes;
    this.#primary = nodes[0];
    this.#reaper = reaper;
  }

  get primary(): MariaNode {
    return this.#primary;
  }

  get replicas(): readonly MariaNode[] {
    return this.nodes.filter((node) => node !== this.#primary);
  }

  /**
   * Lets a replica take over from a primary that is gone: it applies what it has received, forgets its source, and may be
   * written to.
   */
  async promote(node: MariaNode): Promise<void> {
    await node.server.query("STOP SLAVE IO_THREAD");
    await until("the replica to have applied what it received", async () => {
      const [status] = await node.server.query<Record<string, string>>("SHOW SLAVE STATUS");
      const [slave] = await node.server.query<{ at: string }>("SELECT @@gtid_slave_pos AS at");
      return status?.["Gtid_IO_Pos"] === slave?.at || status?.["Gtid_IO_Pos"] === "";
    });
    await node.server.query("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0");
    this.#primary = node;
  }

  /** Starts a server that is down as it is: as nobody's replica, and writable. */
  async restart(node: MariaNode): Promise<void> {
    await node.server.start();
  }

  /** Makes a server that runs and has no history of its own a replica of the present primary. */
  async follow(node: MariaNode): Promise<void> {
    await node.server.query(`SET GLOBAL read_only = 1; SET GLOBAL gtid_slave_pos = @@gtid_binlog_pos;
      ${followText(this.#primary.server.port)}`);
    await this.caughtUp(node);
  }

  /** Resolves when a replica has all that the primary has now. */
  async caughtUp(node: MariaNode): Promise<void> {
    const [row] = await this.#primary.server.query<{ at: string }>("SELECT @@gtid_binlog_pos AS at");
    await node.server.query("SELECT MASTER_GTID_WAIT(?, 20)", [row?.at]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    for (const { proxy } of this.nodes) await proxy.close();
    await Promise.all(this.nodes.map(({ server }) => server.kill()));
    this.#reaper.close();
  }
}

function followText(port: number): string {
  return `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${port}, MASTER_USER = 'replicator',
    MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1; START SLAVE`;
}

/** Starts a primary and its replicas; resolves when they follow. */
export async function startMariaCluster(options: MariaClusterOptions = {}): Promise<MariaCluster> {
  const { replicas = 1, semiSync = false, more = [] } = options;
  const reaper = new Reaper();
  const folder = mkdtempSync(path.join(os.tmpdir(), "breakwater-maria-"));
  chmodSync(folder, 0o755);
  reaper.keep(folder);
  const servers: MariaServer[] = [];
  for (let id = 1; id <= replicas + 1; id += 1) {
    const own = path.join(folder, `${id}`);
    mkdirSync(own, { mode: 0o755 });
    if (OWNER !== undefined) chownSync(own, OWNER.uid, OWNER.gid);
    const args = [...(semiSync ? SEMI_SYNC : []), ...more];
    servers.push(new MariaServer({ id, port: await freePort(), folder: own, more: args }, reaper));
  }
  const [first, ...others] = servers as [MariaServer, ...MariaServer[]];
  await first.install();
  for (const server of others) await server.copy(first);
  await Promise.all([first.start(), ...others.map((server) => server.start("--read-only"))]);
  for (const server of others) await server.query(followText(first.port));
  // Not on replicas: they would wait for replicas of their own.
  if (semiSync) await first.query("SET GLOBAL rpl_semi_sync_master_enabled = ON");
  const nodes = await Promise.all(servers.map(nodeOf));
  const cluster = new MariaCluster(nodes as [MariaNode, ...MariaNode[]], reaper);
  await first.query("CREATE TABLE app.ready (id int)");
  for (const node of cluster.replicas) await cluster.caughtUp(node);
  return cluster;
}

async function nodeOf(server: MariaServer): Promise<MariaNode> {
  const proxy = await startProxy({ target: server.port, protocol: "bytes" });
  return { server, proxy, config: { host: "127.0.0.1", port: proxy.port, user: USER, database: DATABASE } };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
