import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Client } from "breakwater/pg";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";
import { describe, expect, it } from "vitest";
import { useCluster, withPool } from "./support.ts";

const cluster = useCluster();
const SERIES = "SELECT g FROM generate_series(1, 1000) AS g";

/** How many lines come out of a stream of text. */
async function lines(stream: Readable): Promise<number> {
  let count = 0;
  await pipeline(
    stream,
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        count += chunk.toString().split("\n").length - 1;
        done();
      },
    }),
  );
  return count;
}

describe("streams on asPgPool", () => {
  it("reads a pg-query-stream to its end", async () => {
    await withPool(cluster(), async (pool) => {
      let sum = 0;
      for await (const row of pool.query(new QueryStream(SERIES)) as AsyncIterable<{ g: number }>) sum += row.g;
      expect(sum).toBe(500_500);
    });
  });

  it("gives the connection back when a pg-query-stream is left early", async () => {
    await withPool(cluster(), async (pool, db) => {
      for await (const _ of pool.query(new QueryStream(SERIES, [], { batchSize: 10 })) as AsyncIterable<unknown>) break;
      await expect.poll(() => db.stats().active).toBe(0);
      expect(pool.idleCount).toBe(1);
    });
  });

  it("reads a pg-cursor in parts and closes it", async () => {
    await withPool(cluster(), async (pool, db) => {
      const cursor = pool.query(new Cursor<{ g: number }>(SERIES));
      expect((await cursor.read(3)).map((row) => row.g)).toEqual([1, 2, 3]);
      await cursor.close();
      await expect.poll(() => db.stats().active).toBe(0);
    });
  });

  it("copies in and out with pg-copy-streams", async () => {
    await withPool(cluster(), async (pool) => {
      await pool.query("CREATE TABLE copied (id int, title text)");
      const rows = Array.from({ length: 500 }, (_, id) => `${id}\ttitle ${id}\n`);
      await pipeline(Readable.from(rows), pool.query(copyFrom("COPY copied FROM STDIN")));
      expect(await lines(pool.query(copyTo("COPY copied TO STDOUT")))).toBe(500);
      const client = await pool.connect();
      await client.query("BEGIN");
      await pipeline(Readable.from(rows), client.query(copyFrom("COPY copied FROM STDIN")));
      client.release();
      const { rows: counted } = await pool.query("SELECT count(*)::int AS count FROM copied");
      expect(counted).toEqual([{ count: 500 }]);
    });
  });

  it("tells a stream of an error of its statement, and one that got no connection", async () => {
    await withPool(cluster(), async (pool) => {
      const wrong = pool.query(new QueryStream("SELECT 1 / (g - 2) FROM generate_series(1, 3) AS g"));
      await expect(lines(wrong)).rejects.toMatchObject({ code: "22012" });
      await pool.end();
      await expect(lines(pool.query(new QueryStream(SERIES)))).rejects.toThrow("Cannot use a pool");
      await expect(pool.query(new Cursor(SERIES)).read(1)).rejects.toThrow("Cannot use a pool");
    });
  });
});

describe("cursors and streams on a Client of breakwater/pg", () => {
  it("reads them in turn, and is ended with one that is left half way", async () => {
    const client = new Client(cluster().primary.connectionString);
    await client.connect();
    const cursor = client.query(new Cursor<{ g: number }>("SELECT g FROM generate_series(1, 100) AS g"));
    const after = client.query("SELECT 1 AS one");
    expect((await cursor.read(2)).map(({ g }) => g)).toEqual([1, 2]);
    await cursor.close();
    expect((await after).rows).toEqual([{ one: 1 }]);
    await client.query("BEGIN");
    let sum = 0;
    for await (const { g } of client.query(
      new QueryStream("SELECT g FROM generate_series(1, 100) AS g"),
    ) as AsyncIterable<{ g: number }>)
      sum += g;
    expect(sum).toBe(5_050);
    await client.query("COMMIT");
    await expect(client.query(new Cursor("SELECT nothing")).read(1)).rejects.toMatchObject({ code: "42703" });
    expect(client.query(new pg.Query("SELECT 1"))).toBeInstanceOf(pg.Query);
    await client.query(new Cursor("SELECT g FROM generate_series(1, 100) AS g")).read(1);
    const never = client.query(new Cursor("SELECT 1"));
    await client.end();
    await expect(never.read(1)).rejects.toThrow(/./);
  });
});
