/**
 * The tables: the same ones for each side, in a schema of its own.
 *
 * None has a unique constraint on the writes' ids. Most tables in the wild have none either, and here a write that was
 * carried out twice is to be seen, not to be prevented.
 */
import type { ClusterNode } from "@breakwater/chaos";

/** The two sides of the demo, by the schema that each writes to. */
export type Side = "today" | "breakwater";

export const SIDES: readonly Side[] = ["today", "breakwater"];

export const ACCOUNTS = 200;
export const OPENING_BALANCE = 1_000;

/** Makes the tables of both sides, and resolves when the replicas have them too. */
export async function createTables(primary: ClusterNode, replicas: readonly ClusterNode[]): Promise<void> {
  for (const side of SIDES) {
    await primary.query(`
      CREATE SCHEMA ${side};
      CREATE TABLE ${side}.accounts (id int PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 50);
      CREATE TABLE ${side}.orders (id text NOT NULL, customer int NOT NULL, amount int NOT NULL);
      CREATE TABLE ${side}.transfers (id text NOT NULL, source int NOT NULL, target int NOT NULL, amount int NOT NULL);
      INSERT INTO ${side}.accounts SELECT id, ${OPENING_BALANCE} FROM generate_series(1, ${ACCOUNTS}) AS id;
    `);
  }
  const [row] = await primary.query<{ lsn: string }>("SELECT pg_current_wal_lsn()::text AS lsn");
  await Promise.all(replicas.map((replica) => replayed(replica, row?.lsn ?? "0/0")));
}

async function replayed(replica: ClusterNode, lsn: string): Promise<void> {
  for (;;) {
    const [row] = await replica.query<{ there: boolean }>("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS there", [
      lsn,
    ]);
    if (row?.there === true) return;
  }
}
