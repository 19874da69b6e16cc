/** A node on a host: what PostgreSQL has to be told so that the host's server takes its place in the cluster. */
import { stateError } from "../errors.ts";
import type { FaultProxy } from "../proxy/fault-proxy.ts";
import { defaultLimitMs, until } from "../wait.ts";
import { adminQuery } from "./admin.ts";
import type { ClusterNode, NodeRole } from "./node.ts";
import { addressOf, type NodeState, type ServerHost, type StopMode } from "./provider.ts";

/** Upstream PostgreSQL can stick for ever at a segment's end after a repoint; a clone takes a third of a second. */
const streamingLimitMs = 4000;

/** What a node needs to know of the others. */
export interface NodeGroup {
  /** Whether the servers are somebody else's. */
  readonly standing: boolean;
  /** Value of synchronous_standby_names for a node. */
  standbysOf(node: ManagedNode): string;
  /** A node is to become the primary. */
  promoted(node: ManagedNode): void;
  /** A node that was none before is a replica now, and streams. */
  joined(): Promise<void>;
  /** The node behind the public face. @throws RangeError for one of another cluster. */
  own(node: ClusterNode): ManagedNode;
}

export class ManagedNode implements ClusterNode {
  readonly name: string;
  readonly proxy: FaultProxy;
  readonly #host: ServerHost;
  readonly #group: NodeGroup;
  #role: NodeRole;
  #upstream: ManagedNode | undefined;
  /** Whether the data ends in a shutdown checkpoint that a standby has received, so that it can become one itself. */
  #clean = false;

  constructor(host: ServerHost, proxy: FaultProxy, group: NodeGroup, upstream: ManagedNode | undefined) {
    this.name = host.name;
    this.proxy = proxy;
    this.#host = host;
    this.#group = group;
    this.#upstream = upstream;
    this.#role = upstream === undefined ? "primary" : "replica";
  }

  get role(): NodeRole {
    return this.#role;
  }
  get state(): NodeState {
    return this.#host.state;
  }
  get pid(): number | undefined {
    return this.#host.pid;
  }
  get port(): number {
    return this.proxy.port;
  }
  get directPort(): number {
    return this.#host.access.port;
  }
  get connectionString(): string {
    return addressOf(this.#host.access, { host: "127.0.0.1", port: this.port });
  }
  get directConnectionString(): string {
    return addressOf(this.#host.access);
  }

  /** Tells the server its role and, when it runs, makes it read that. */
  configure(): void {
    this.#host.configure({
      // A primary keeps its last address: taking it away just before a promotion would end the stream too early.
      upstreamPort: this.#upstream?.directPort,
      synchronousStandbys: this.#group.standbysOf(this),
    });
  }

  /** Makes the server wait for the present standbys; resolves when no commit can slip through any more. */
  async applyStandbys(): Promise<void> {
    // Of servers that are somebody else's, who waits for whom is his.
    if (this.#group.standing) return;
    const wanted = this.#group.standbysOf(this);
    this.configure();
    if (this.state !== "running") return;
    await until(
      `${this.name} to take synchronous_standby_names`,
      async () => {
        const [row] = await this.query<{ names: string }>(
          "SELECT current_setting('synchronous_standby_names') AS names",
        );
        return row?.names === wanted;
      },
      { everyMs: 2, detail: () => this.logTail() },
    );
    // Whether commits wait is a flag that the checkpointer sets when it reads the configuration, which it does before this.
    await this.query("CHECKPOINT", [], defaultLimitMs);
  }

  /** For a copy of the primary's data that was never started. */
  prepareStandby(): void {
    this.#host.markStandby();
    this.configure();
  }

  async start(limitMs: number = defaultLimitMs): Promise<void> {
    this.#clean = false;
    await this.#host.start(limitMs);
  }

  async stop(mode: StopMode = "fast", limitMs: number = defaultLimitMs): Promise<void> {
    if (this.state === "stopped") return;
    await this.#host.stop(mode, limitMs);
    this.#clean = mode !== "immediate";
  }

  async restart(limitMs: number = defaultLimitMs): Promise<void> {
    await this.stop("fast", limitMs);
    await this.start(limitMs);
  }

  kill(): Promise<void> {
    return this.#host.kill();
  }

  hang(): void {
    this.#host.hang();
  }

  resume(): void {
    this.#host.resume();
  }

  killBackend(pid: number): Promise<void> {
    return this.#host.killBackend(pid);
  }

  async promote(limitMs: number = defaultLimitMs): Promise<void> {
    if (this.#role === "primary") throw stateError(`${this.name} is a primary already`);
    this.#requireRunning("promote");
    this.#role = "primary";
    this.#group.promoted(this);
    // Before the first commit: names that are gone would let it wait for ever, no names would lose acknowledged rows.
    await this.applyStandbys();
    await this.query("SELECT pg_promote(false)");
    await until(
      `${this.name} to be promoted`,
      async () => {
        const [row] = await this.query<{ standby: boolean }>("SELECT pg_is_in_recovery() AS standby");
        return row?.standby === false;
      },
      { limitMs, everyMs: 5, detail: () => this.logTail() },
    );
  }

  /** Gives a replica a new address to stream from, without waiting for anything. */
  repoint(other: ManagedNode): void {
    this.#upstream = other;
    this.configure();
  }

  async follow(other: ClusterNode): Promise<void> {
    const upstream = this.#group.own(other);
    if (upstream === this) throw new RangeError(`${this.name} cannot follow itself`);
    if (this.#role === "primary") {
      if (this.state !== "stopped" || !this.#clean) return this.reclone(upstream);
      this.#host.markStandby();
      this.#becomeReplica(upstream);
    } else this.repoint(upstream);
    if (this.state === "hung") return;
    try {
      if (this.state === "stopped") await this.start(streamingLimitMs);
      await this.waitForStreaming(streamingLimitMs);
    } catch {
      return this.reclone(upstream);
    }
    await this.#group.joined();
  }

  async reclone(from: ClusterNode): Promise<void> {
    const upstream = this.#group.own(from);
    if (upstream === this) throw new RangeError(`${this.name} cannot be cloned from itself`);
    upstream.#requireRunning("clone from");
    await this.kill();
    await this.#host.cloneFrom(upstream.#host);
    this.#becomeReplica(upstream);
    await this.start();
    await this.waitForStreaming(defaultLimitMs);
    await this.#group.joined();
  }

  /** Resolves when this replica streams from the node that it was told to follow. */
  async waitForStreaming(limitMs: number): Promise<void> {
    const upstream = this.#upstream;
    if (upstream === undefined) throw stateError(`${this.name} follows no node`);
    await until(
      `${this.name} to stream from ${upstream.name}`,
      async () => {
        const [here] = await this.query<{ port: number; timeline: number }>(
          "SELECT sender_port AS port, receive_start_tli AS timeline FROM pg_stat_wal_receiver",
        );
        if (here === undefined || (here.port !== upstream.directPort && !this.#group.standing)) return false;
        if (this.#group.standing) return true;
        // A receiver calls itself streaming before it has got a byte; the sender knows.
        const [there] = await upstream.query<{ timeline: number | null }>(
          `SELECT CASE WHEN pg_is_in_recovery() THEN NULL
                  ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END AS timeline
             FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'`,
          [this.name],
        );
        // One that has gone on past the end of the sender's old timeline is sent that again and again, and never the new one.
        return there !== undefined && (there.timeline === null || there.timeline === here.timeline);
      },
      { limitMs, detail: () => this.logTail() },
    );
  }

  async pauseReplay(): Promise<void> {
    await this.query("SELECT pg_wal_replay_pause()");
    await until(`${this.name} to pause its replay`, async () => {
      const [row] = await this.query<{ state: string }>("SELECT pg_get_wal_replay_pause_state() AS state");
      return row?.state === "paused";
    });
  }

  async resumeReplay(): Promise<void> {
    await this.query("SELECT pg_wal_replay_resume()");
  }

  query<R = Record<string, unknown>>(text: string, values: readonly unknown[] = [], limitMs = 10_000): Promise<R[]> {
    return adminQuery<R>(this.#host.access, text, values, limitMs);
  }

  async waitUntilReady(limitMs: number = defaultLimitMs): Promise<void> {
    await until(
      `${this.name} to answer`,
      async () => {
        if (this.state === "stopped") throw stateError(`${this.name} is stopped\n${this.logTail()}`);
        await adminQuery(this.#host.access, "SELECT 1", [], Math.min(limitMs, 5000));
        return true;
      },
      { limitMs, detail: () => this.logTail() },
    );
  }

  logTail(lines?: number): string {
    return this.#host.logTail(lines);
  }

  #becomeReplica(upstream: ManagedNode): void {
    this.#role = "replica";
    this.repoint(upstream);
  }

  #requireRunning(what: string): void {
    if (this.state !== "running") throw stateError(`${what}: ${this.name} is ${this.state}`);
  }
}
