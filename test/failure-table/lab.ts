/**
 * A cluster to provoke errors in, with bare `pg`: sessions, and what can be awaited of them.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { type Cluster, type ClusterNode, startCluster } from "@breakwater/chaos";
import pg from "pg";

/** Longest that anything is awaited, in milliseconds. */
const LIMIT_MS = 20_000;

const SCHEMA = `
  create table ledger (id text primary key, n int not null default 0);
  create table twin (id text unique deferrable initially deferred);
  create table slow (id text primary key, seconds float8 not null);
  create unlogged table quick (id text);
  create table quiet (id text);
  create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(new.seconds); return null; end $$;
  create constraint trigger wait after insert on slow deferrable initially deferred for each row execute function wait();
  create role plain login; grant all on all tables in schema public to plain;
  create role limited login connection limit 0;
  create role locked login password 'right';
`;

/** A connection and what happened on it. */
export interface Session {
  readonly client: pg.Client;
  readonly pid: number;
  readonly node: ClusterNode;
  readonly notices: readonly { readonly code?: string | undefined; readonly severity?: string | undefined }[];
  /** The first error event: what the driver says of a connection that is idle. */
  readonly lost: Promise<unknown>;
}

/** Resolves with what a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  const result = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in result) return result.error;
  throw new Error("expected an error, but the call succeeded");
}

/** Polls until the answer is true. */
export async function until(what: string, answer: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!(await answer())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(5);
  }
}

/** One running cluster, a primary and a replica. */
export class Lab {
  readonly cluster: Cluster;
  readonly version: number;
  readonly #open = new Set<pg.Client>();

  private constructor(cluster: Cluster, version: number) {
    this.cluster = cluster;
    this.version = version;
  }

  /** Starts the servers, from a folder of binaries or from the embedded package. */
  static async start(binaries?: string): Promise<Lab> {
    const settings = {
      max_standby_streaming_delay: "150ms",
      max_prepared_transactions: "4",
      authentication_timeout: "2s",
    };
    const cluster = await startCluster({ replicas: 1, settings, ...(binaries && { binaries }) });
    const [row] = await cluster.primary.query<{ v: string }>("select current_setting('server_version_num') as v");
    const lab = new Lab(cluster, Math.floor(Number(row?.v) / 10_000));
    await cluster.primary.query(SCHEMA);
    await lab.caughtUp();
    return lab;
  }

  get primary(): ClusterNode {
    return this.cluster.primary;
  }

  get replica(): ClusterNode {
    const [replica] = this.cluster.replicas;
    if (replica === undefined) throw new Error("the lab has lost its replica");
    return replica;
  }

  /** Connects directly, or through the proxy where `proxied`. */
  async open(node: ClusterNode, config: pg.ClientConfig & { readonly proxied?: boolean } = {}): Promise<Session> {
    const { proxied = false, ...rest } = config;
    const port = proxied ? node.port : node.directPort;
    const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres", ...rest });
    const notices: Session["notices"][number][] = [];
    const lost = new Promise<unknown>((resolve) => client.on("error", resolve));
    client.on("notice", (notice) => notices.push(notice));
    this.#open.add(client);
    await client.connect();
    return { client, pid: (client as unknown as { processID: number }).processID, node, notices, lost };
  }

  /** Runs statements one after another on a new session. */
  async opened(node: ClusterNode, ...texts: readonly string[]): Promise<Session> {
    const session = await this.open(node);
    for (const text of texts) await session.client.query(text);
    return session;
  }

  /** Closes all sessions and ends what still runs of them. */
  async closeSessions(): Promise<void> {
    const clients = [...this.#open];
    this.#open.clear();
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
    for (const node of this.cluster.nodes) {
      if (node.state !== "running") continue;
      await node.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()`);
    }
  }

  /** A key that no other scenario uses. */
  key(): string {
    return randomUUID();
  }

  /** Whether a row is there, once the server answers again. */
  async kept(id: string, table: "ledger" | "slow" = "ledger"): Promise<boolean> {
    await this.primary.waitUntilReady();
    return (await this.primary.query(`select from ${table} where id = $1`, [id])).length > 0;
  }

  /** Resolves when all these sessions wait for the same thing, such as `PgSleep`. */
  async waiting(event: string, ...sessions: readonly Session[]): Promise<void> {
    const pids = sessions.map(({ pid }) => pid);
    const node = sessions[0]?.node ?? this.primary;
    await until(`${sessions.length} sessions in ${event}`, async () => {
      const rows = await node.query(
        `select from pg_stat_activity where pid = any ($1) and state = 'active' and wait_event = $2`,
        [pids, event],
      );
      return rows.length === pids.length;
    });
  }

  /** Resolves when so many sessions of the primary sleep, whoever opened them; with the process of one. */
  async sleeper(count: number): Promise<number> {
    const text = "select pid from pg_stat_activity where state = 'active' and wait_event = 'PgSleep'";
    let pids: readonly { readonly pid: number }[] = [];
    await until(
      `${count} sleeping sessions`,
      async () => (pids = await this.primary.query<{ pid: number }>(text)).length === count,
    );
    return pids[0]?.pid ?? 0;
  }

  /** Resolves when the replica has replayed all that the primary has written. */
  async caughtUp(): Promise<void> {
    const [row] = await this.primary.query<{ lsn: string }>("select pg_current_wal_insert_lsn()::text as lsn");
    await until("the replica to catch up", async () => {
      const [now] = await this.replica.query<{ ok: boolean }>("select pg_last_wal_replay_lsn() >= $1::pg_lsn as ok", [
        row?.lsn,
      ]);
      return now?.ok === true;
    });
  }
}
