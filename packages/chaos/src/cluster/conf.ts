/** The configuration files of one server, as texts. */
import type { ServerRole } from "./provider.ts";

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

/** What of a server's settings differs from one to the next. */
export interface ServerFiles {
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  /** Asked of every TCP client; undefined: nobody is asked. */
  readonly password: string | undefined;
}

/** Where a server takes its connections from. */
export interface Reachable {
  /** As `listen_addresses` has it. */
  readonly listens: string;
  /** Who may come, as pg_hba.conf has it. */
  readonly clients: string;
}

/** A file of the data directory. */
export interface ConfFile {
  readonly name: string;
  readonly text: string;
}

/** Everything that stays the same for the life of a server. */
export function serverFiles(server: ServerFiles, { listens, clients }: Reachable): ConfFile[] {
  const settings = {
    ...defaults,
    ...server.settings,
    listen_addresses: listens,
    port: String(server.port),
    unix_socket_directories: "",
    wal_level: "replica",
    hot_standby: "on",
    // Shared memory as files in the data directory: the default leaves files in /dev/shm behind a killed server.
    dynamic_shared_memory_type: "mmap",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quoted(value)}`);
  const method = server.password === undefined ? "trust" : "scram-sha-256";
  return [
    { name: "postgresql.conf", text: [...lines, "include 'breakwater.conf'", ""].join("\n") },
    { name: "pg_hba.conf", text: `host all all ${clients} ${method}\nhost replication all ${clients} ${method}\n` },
  ];
}

/** What changes with the server's role. A running server needs a reload; `standby.signal` counts at its next start. */
export function roleFile(name: string, role: ServerRole, host: string, password: string | undefined): ConfFile {
  const lines = [`synchronous_standby_names = ${quoted(role.synchronousStandbys)}`];
  if (role.upstreamPort !== undefined) {
    const secret = password === undefined ? "" : ` password='${password.replace(/[\\']/g, "\\$&")}'`;
    const conninfo = `host=${host} port=${role.upstreamPort} user=postgres application_name=${name}${secret}`;
    lines.push(`primary_conninfo = ${quoted(conninfo)}`);
    lines.push("recovery_target_timeline = 'latest'");
  }
  return { name: "breakwater.conf", text: `${lines.join("\n")}\n` };
}

function quoted(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
