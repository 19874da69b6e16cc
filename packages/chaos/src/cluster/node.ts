/** What a test does to one server of a cluster. */
import type { FaultProxy } from "../proxy/fault-proxy.ts";
import type { NodeState, StopMode } from "./provider.ts";

export type { NodeState, StopMode } from "./provider.ts";

/** What the kit last made of a node; an old primary stays `primary` until it is told to follow another node. */
export type NodeRole = "primary" | "replica";

/**
 * One PostgreSQL server of a cluster.
 *
 * Every method that waits rejects with a {@link ChaosError} (`ERR_BREAKWATER_CHAOS_TIMEOUT`) that names the node and what was
 * awaited and ends with the server's log; `limitMs` is the longest wait in milliseconds and 30 000 unless said. A method that
 * makes no sense in the node's present state throws one with `ERR_BREAKWATER_CHAOS_STATE`.
 */
export interface ClusterNode {
  /** `n1`, `n2` … in the order of `cluster.nodes`; also its `application_name` as a replica. */
  readonly name: string;
  /** What the kit last made of it: an old primary stays `primary` until it is told to follow another node. */
  readonly role: NodeRole;
  /** Whether its server runs, is stopped, or hangs. */
  readonly state: NodeState;
  /** Of the postmaster; undefined while stopped. */
  readonly pid: number | undefined;
  /** TCP port of the node's proxy: the same for the whole life of the cluster. */
  readonly port: number;
  /** `postgres://postgres@127.0.0.1:PORT/postgres` through the proxy: what clients use. */
  readonly connectionString: string;
  /** TCP port of the server itself: faults of the proxy do not reach it, replication uses it. */
  readonly directPort: number;
  /** The same past the proxy, by `directPort`. */
  readonly directConnectionString: string;
  /** The proxy between clients and it. */
  readonly proxy: FaultProxy;

  /** Starts a stopped server as whatever its data says it is; resolves when it takes connections. */
  start(limitMs?: number): Promise<void>;
  /** Stops the server; does nothing when it is stopped. @default "fast" */
  stop(mode?: StopMode, limitMs?: number): Promise<void>;
  /** Stops (fast) and starts. */
  restart(limitMs?: number): Promise<void>;
  /** Ends all processes of the server by SIGKILL, as a crash of the machine would; resolves when they are gone. */
  kill(): Promise<void>;
  /** Stops every process of the server by a signal: connections stay, new ones are accepted by the system, nothing answers. */
  hang(): void;
  /** Ends {@link hang}. */
  resume(): void;
  /**
   * Ends one process of the server by SIGKILL. PostgreSQL then ends all sessions and recovers; resolves when the old processes
   * are gone. Use {@link waitUntilReady} to wait for the end of the recovery.
   *
   * @param pid as `pg_backend_pid()` tells it. @throws RangeError when it is no process of this server.
   */
  killBackend(pid: number): Promise<void>;
  /** Makes a replica a primary; resolves when it takes writes. The other nodes are left as they are. */
  promote(limitMs?: number): Promise<void>;
  /**
   * Makes the node a replica of `other` and resolves when it streams. A running replica is only told the new address; a cleanly
   * stopped primary is started as a standby; what crashed as a primary, or does not stream after 4 seconds, is cloned again.
   * A hung replica is told too, and takes notice when it is resumed: nothing is awaited.
   */
  follow(other: ClusterNode): Promise<void>;
  /** Throws the node's data away and copies the data of `from`, which must be running; resolves when it streams from there. */
  reclone(from: ClusterNode): Promise<void>;
  /** Lets a replica go on receiving but not applying; resolves when it is paused. */
  pauseReplay(): Promise<void>;
  /** Lets it apply again; resolves when it does. */
  resumeReplay(): Promise<void>;
  /**
   * Runs one statement as superuser on a short-lived direct connection.
   *
   * @param limitMs longest wait for connection and answer. @default 10 000
   * @returns the rows, as the `pg` driver reads them. @throws the driver's error.
   */
  query<R = Record<string, unknown>>(text: string, values?: readonly unknown[], limitMs?: number): Promise<R[]>;
  /** Resolves when the server answers a statement; throws at once when it is stopped. */
  waitUntilReady(limitMs?: number): Promise<void>;
  /** Last lines of the server's log. @default 20 lines */
  logTail(lines?: number): string;
}
