/**
 * The seam between what a cluster means and where its servers run. Today one provider exists: processes of this machine. Another
 * (containers, a cluster that is already there) has to supply these two interfaces and nothing else.
 */

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
  readonly port: number;
  readonly password: string | undefined;
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
  /** Idempotent; afterwards no process and no file is left. */
  close(): Promise<void>;
}
