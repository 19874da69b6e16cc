/** The server that is measured against: one of the project's own, or whatever `BREAKWATER_BENCH_URL` points to. */
import { readFileSync } from "node:fs";
import { startCluster } from "@breakwater/chaos";
import pg from "pg";

export interface Server {
  readonly url: string;
  readonly version: string;
  /** Time that the server's processes for clients have used so far, in microseconds; undefined where it cannot be read. */
  cpu(): Promise<number | undefined>;
  close(): Promise<void>;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS bench_items
    (id int PRIMARY KEY, name text NOT NULL, price numeric NOT NULL, stock int NOT NULL, changed timestamptz NOT NULL);
  TRUNCATE bench_items;
  INSERT INTO bench_items SELECT i, 'item ' || i, i / 100.0, i % 50, now() FROM generate_series(1, 100000) AS i;
  CREATE TABLE IF NOT EXISTS bench_rows (id int, name text);
  TRUNCATE bench_rows;
  ANALYZE bench_items`;

export async function startServer(): Promise<Server> {
  const given = process.env["BREAKWATER_BENCH_URL"];
  // All clients keep their connections open between their turns.
  const settings = { max_connections: "600" };
  const cluster = given === undefined ? await startCluster({ replicas: 0, settings }) : undefined;
  const url = given ?? cluster?.primary.directConnectionString ?? "";
  const admin = new pg.Client(url);
  await admin.connect();
  await admin.query(SCHEMA);
  await admin.query("CHECKPOINT").catch(() => undefined);
  const { rows } = await admin.query<{ version: string }>("SELECT current_setting('server_version') AS version");
  return {
    url,
    version: rows[0]?.version ?? "",
    cpu: async () => {
      const { rows: backends } = await admin.query<{ pid: number }>(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
      );
      try {
        return backends.reduce((sum, { pid }) => sum + usedBy(pid), 0);
      } catch {
        return undefined;
      }
    },
    close: async () => {
      await admin.end();
      await cluster?.close();
    },
  };
}

/** Time on a processor, in microseconds: Linux counts it in nanoseconds. */
function usedBy(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1_000;
}
