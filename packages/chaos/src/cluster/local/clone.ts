/** Copies the data directory of a running server, without any tool but the server itself. */
import { constants } from "node:fs";
import { copyFile, mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { adminSession, only } from "../admin.ts";
import type { AdminAccess } from "../provider.ts";
import { write } from "./files.ts";
import { give } from "./folder.ts";

/** Their contents belong to the source alone; the folders themselves must exist. */
const emptied = new Set([
  "pg_wal",
  "pg_replslot",
  "pg_dynshmem",
  "pg_notify",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
]);
const skipped =
  /^(postmaster\.(pid|opts)|standby\.signal|recovery\.signal|backup_label(\.old)?|tablespace_map|pg_internal\.init.*|pgsql_tmp.*)$/;
const limitMs = 60_000;

/** @param target must not exist. Fails when the WAL written meanwhile exceeds `wal_keep_size` (the standby then cannot start). */
export function cloneRunning(source: AdminAccess, from: string, target: string): Promise<void> {
  return adminSession(
    source,
    async (ask) => {
      // A backup lives as long as the connection that began it.
      await ask("SELECT pg_backup_start('breakwater', true)");
      await copyLive(from, target, true);
      const stopped = await ask<{ labelfile: string }>("SELECT labelfile FROM pg_backup_stop(false)");
      write(path.join(target, "backup_label"), only(stopped).labelfile);
    },
    limitMs,
  );
}

async function copyLive(from: string, to: string, isRoot: boolean): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  give(to);
  const entries = await readdir(from, { withFileTypes: true });
  for (const entry of entries) {
    if (skipped.test(entry.name)) continue;
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (isRoot && emptied.has(entry.name)) {
      await mkdir(target, { mode: 0o700 });
      give(target);
      if (entry.name === "pg_wal")
        await copyLive(path.join(from, "pg_wal", "archive_status"), path.join(target, "archive_status"), false);
    } else if (entry.isDirectory()) {
      await copyLive(source, target, false);
    } else if (entry.isFile()) {
      await copyOne(source, target);
    }
  }
}

async function copyOne(source: string, target: string): Promise<void> {
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE);
    give(target);
  } catch (error) {
    // Tables come and go in a live server; replay puts that right.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
