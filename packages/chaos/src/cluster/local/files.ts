/** The configuration files of a server of this machine. */
import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { roleFile, type ServerFiles, serverFiles } from "../conf.ts";
import type { ServerRole } from "../provider.ts";
import { give } from "./folder.ts";

const LOOPBACK = { listens: "127.0.0.1", clients: "127.0.0.1/32" };

/** Writes everything that stays the same for the life of a server. */
export function writeServerFiles(data: string, server: ServerFiles): void {
  for (const { name, text } of serverFiles(server, LOOPBACK)) write(path.join(data, name), text);
}

/** Writes what changes with the server's role. */
export function writeRole(data: string, name: string, role: ServerRole, password: string | undefined): void {
  const file = roleFile(name, role, "127.0.0.1", password);
  write(path.join(data, file.name), file.text);
}

/** Replaces a file in one step: a server that is told to reload never reads half of it. */
export function write(file: string, text: string): void {
  const half = `${file}.new`;
  writeFileSync(half, text, { mode: 0o600 });
  give(half);
  renameSync(half, file);
}
