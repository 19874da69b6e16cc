/** Many rows, each way that there is, against one statement for each row in a transaction. */
import { breakwater } from "breakwater";
import pg from "pg";
import postgres from "postgres";
import { CONNECTIONS, TEXTS } from "./clients.ts";
import { type Figure, figure, turned } from "./measure.ts";

export interface BulkRow {
  readonly way: string;
  /** How many times as fast as one by one in the same run. */
  readonly ratio: Figure;
  readonly ms: number;
}

type Rows = readonly [id: number, name: string][];

interface Way {
  readonly way: string;
  readonly insert: (rows: Rows) => Promise<unknown>;
}

const ROWS = 10_000;
export const EXECUTE_MANY = "Breakwater, `executeMany`";
const BY_HAND = "INSERT INTO bench_rows SELECT * FROM unnest($1::int[], $2::text[])";

/** `few` measures only what is promised. */
export async function bulk(url: string, rounds: number, few: boolean): Promise<BulkRow[]> {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
  const db = breakwater({ primary: url, pool: { max: CONNECTIONS } });
  const sql = postgres(url, { max: CONNECTIONS, onnotice: () => undefined });
  const promised: Way[] = [
    { way: "pg.Pool, one by one in a transaction", insert: (rows) => oneByOne(pool, rows) },
    { way: EXECUTE_MANY, insert: (rows) => db.executeMany(TEXTS.insert, rows) },
  ];
  const others: Way[] = [
    {
      way: "Breakwater, `copyFrom`",
      insert: (rows) => db.copyFrom({ table: "bench_rows" }, rows.map((row) => `${row.join("\t")}\n`).join("")),
    },
    {
      way: "pg.Pool, `INSERT … SELECT … FROM unnest(…)` by hand",
      insert: (rows) => pool.query(BY_HAND, [rows.map(([id]) => id), rows.map(([, name]) => name)]),
    },
    {
      way: "postgres.js, insert of many rows by its helper",
      insert: (rows) => sql`INSERT INTO bench_rows ${sql(rows.map(([id, name]) => ({ id, name })))}`,
    },
  ];
  const ways = (few ? promised : [...promised, ...others]).map((way) => ({ ...way, took: [] as number[] }));
  const rows = Array.from({ length: ROWS }, (_, id): [number, string] => [id, `row ${id}`]);
  try {
    for (const { insert } of ways.slice(1)) await insert(rows);
    for (let round = 0; round < rounds; round += 1) {
      for (const { way, insert, took } of turned(ways, round)) {
        await pool.query("TRUNCATE bench_rows");
        const started = performance.now();
        await insert(rows);
        took.push(performance.now() - started);
        const { rows: counted } = await pool.query<{ count: number }>("SELECT count(*)::int FROM bench_rows");
        if (counted[0]?.count !== ROWS) throw new Error(`${way}: ${counted[0]?.count} rows`);
      }
    }
  } finally {
    await Promise.all([pool.end(), db.close(), sql.end()]);
  }
  const bare = ways[0]?.took ?? [];
  return ways.map(({ way, took }) => ({
    way,
    ratio: figure(took.map((ms, round) => (bare[round] ?? Number.NaN) / ms)),
    ms: figure(took).median,
  }));
}

async function oneByOne(pool: pg.Pool, rows: Rows): Promise<void> {
  const client = await pool.connect();
  await client.query("BEGIN");
  for (const row of rows) await client.query(TEXTS.insert, row);
  await client.query("COMMIT");
  client.release();
}
