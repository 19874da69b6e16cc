/** The configuration files of one server. */
import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { ServerRole } from "../provider.ts";
import { give } from "./folder.ts";

/** Settings that the kit cannot work without: a caller must not set them. */
export const reservedSettings: readonly string[] = [
  "listen_addresses",
  "port",
  "unix_socket_directories",
  "data_directory",
  "hba_file",
  "ident_file",
  "config_file",
  "external_pid_file",
  "logging_collector",
  "log_destination",
  "dynamic_shared_memory_type",
  "wal_level",
  "hot_standby",
  "primary_conninfo",
  "synchronous_standby_names",
];

const defaults: Readonly<Record<string, string>> = {
  max_connections: "100",
  shared_buffers: "32MB",
  jit: "off",
  fsync: "off", // a killed process loses nothing that it wrote: only a power cut would
  max_wal_senders: "10",
  wal_keep_size: "128MB", // a clone needs what is written while it is copied
  min_wal_size: "32MB",
  max_wal_size: "256MB",
  wal_log_hints: "on",
  wal_retrieve_retry_interval: "200ms", // 5 s by default: a replica would come back that much later
  wal_receiver_status_interval: "1s",
};

export interface ServerFiles {
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  /** Asked of every TCP client; undefined: nobody is asked. */
  readonly password: string | undefined;
}

/** Writes everything that stays the same for the life of a server. */
export function writeServerFiles(data: string, server: ServerFiles): void {
  const settings = {
    ...defaults,
    ...server.settings,
    listen_addresses: "127.0.0.1",
    port: String(server.port),
    unix_socket_directories: "",
    wal_level: "replica",
    hot_standby: "on",
    // Shared memory as files in the data directory: the default leaves files in /dev/shm behind a killed server.
    dynamic_shared_memory_type: "mmap",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quoted(value)}`);
  write(path.join(data, "postgresql.conf"), [...lines, "include 'breakwater.conf'", ""].join("\n"));
  const method = server.password === undefined ? "trust" : "scram-sha-256";
  write(
    path.join(data, "pg_hba.conf"),
    `host all all 127.0.0.1/32 ${method}\nhost replication all 127.0.0.1/32 ${method}\n`,
  );
}

/** Writes what changes with the server's role. A running server needs a reload; `standby.signal` counts at its next start. */
export function writeRole(data: string, name: string, role: ServerRole, password: string | undefined): void {
  const lines = [`synchronous_standby_names = ${quoted(role.synchronousStandbys)}`];
  if (role.upstreamPort !== undefined) {
    const secret = password === undefined ? "" : ` password='${password.replace(/[\\']/g, "\\$&")}'`;
    const conninfo = `host=127.0.0.1 port=${role.upstreamPort} user=postgres application_name=${name}${secret}`;
    lines.push(`primary_conninfo = ${quoted(conninfo)}`);
    lines.push("recovery_target_timeline = 'latest'");
  }
  write(path.join(data, "breakwater.conf"), `${lines.join("\n")}\n`);
}

/** Replaces a file in one step: a server that is told to reload never reads half of it. */
export function write(file: string, text: string): void {
  const half = `${file}.new`;
  writeFileSync(half, text, { mode: 0o600 });
  give(half);
  renameSync(half, file);
}

function quoted(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
