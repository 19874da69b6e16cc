/**
 * The seam between what a cluster means and where its servers run: processes of this machine, containers, a cluster that was there
 * before. Each supplies these two interfaces and nothing else.
 */
import type { CheckedOptions } from "./options.ts";

/** `hung`: every process of the server is stopped by a signal; connections stay open and nothing answers. */
export type NodeState = "running" | "stopped" | "hung";

/** `smart` waits for the clients, `fast` ends their sessions, `immediate` skips the shutdown checkpoint. */
export type StopMode = "smart" | "fast" | "immediate";

/** What a server is told about its place in the cluster. */
export interface ServerRole {
  /** Direct port of the server to stream from; undefined: none. */
  readonly upstreamPort: number | undefined;
  /** Value of synchronous_standby_names; empty: commits wait for nobody. */
  readonly synchronousStandbys: string;
}

/** Reach and credentials for the kit's own statements. */
export interface AdminAccess {
  /** @default 127.0.0.1 */
  readonly host?: string;
  readonly port: number;
  readonly password: string | undefined;
  /** @default postgres */
  readonly user?: string;
  /** @default postgres */
  readonly database?: string;
  /** What else a connection string of it says after its `?`, such as `sslmode=require`. */
  readonly parameters?: string;
}

/** A connection string of a server, or of what stands in front of it. */
export function addressOf(access: AdminAccess, through?: { readonly host: string; readonly port: number }): string {
  const { user = "postgres", password, database = "postgres", parameters = "" } = access;
  const { host = "127.0.0.1", port } = through ?? access;
  const secret = password === undefined ? "" : `:${encodeURIComponent(password)}`;
  const rest = parameters === "" ? "" : `?${parameters}`;
  return `postgres://${encodeURIComponent(user)}${secret}@${host}:${port}/${encodeURIComponent(database)}${rest}`;
}

/** One server, running or not, with its data. */
export interface ServerHost {
  readonly name: string;
  readonly state: NodeState;
  /** Of the postmaster; undefined while stopped. */
  readonly pid: number | undefined;
  readonly access: AdminAccess;
  /** Resolves when the server takes connections. */
  start(limitMs: number): Promise<void>;
  stop(mode: StopMode, limitMs: number): Promise<void>;
  /** Ends every process at once; resolves when all are gone. */
  kill(): Promise<void>;
  /** Where the server is not a child of this process, it hangs a moment later. */
  hang(): void;
  resume(): void;
  /** Ends one process by SIGKILL; resolves when the server has ended all its other processes because of that. */
  killBackend(pid: number): Promise<void>;
  /** Takes effect at once on a running server, else at its next start. */
  configure(role: ServerRole): void;
  /** Makes a stopped server start as a standby. */
  markStandby(): void;
  /** Replaces the data of a stopped server by a copy of a running one's, to be started as its standby. */
  cloneFrom(source: ServerHost): Promise<void>;
  /** Last lines of the server's log. */
  logTail(lines?: number): string;
}

/** Makes servers and removes them. */
export interface Provider {
  /** In order: the first is to be the primary, the others start as its standbys. None is started yet. */
  readonly hosts: readonly ServerHost[];
  /**
   * Whether the servers were there before, and belong to somebody else: they are not started, configured or stopped, and what
   * only their owner can do is refused. @default false
   */
  readonly standing?: boolean;
  /** Idempotent; afterwards no process and no file is left. */
  close(): Promise<void>;
}

/** Makes the servers of one cluster, as its options say. Leaves nothing behind when it fails. */
export type ProviderFactory = (options: CheckedOptions) => Promise<Provider>;
