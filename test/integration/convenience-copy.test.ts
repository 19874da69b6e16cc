import type { EventEmitter } from "node:events";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { database, OptionError, seededRandom, UsageError } from "@breakwater/core";
import { copyRows, fromPg } from "@breakwater/pg";
import { type Database } from "breakwater";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { closeStacks, noConnectionLeft, stackOn, through } from "../support/database.ts";
import { all, errorOf, until } from "../support/wait.ts";

describe("COPY", () => {
  let cluster: Cluster;
  let db: Database;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1 });
    await cluster.primary.query('CREATE TABLE kept (id int PRIMARY KEY, "odd ""name" text)');
    await cluster.primary.query(
      "CREATE TABLE kinds (a text, b timestamptz, c timestamp, d bytea, e text[], f jsonb, g bool, h int8, i float8, j int[])",
    );
    db = stackOn(cluster);
  });

  afterEach(async () => {
    await until("connections to be back", () => db.stats().active === 0 && db.stats().waiting === 0);
    await db.execute("DELETE FROM kept");
  });

  afterAll(async () => {
    await closeStacks();
    await noConnectionLeft(cluster);
    await cluster.close();
  });

  function count(): Promise<unknown> {
    return db.value("SELECT count(*)::int FROM kept", { access: "write" });
  }

  async function text(pieces: AsyncIterable<Uint8Array>): Promise<string> {
    return Buffer.concat(await all(pieces)).toString();
  }

  function* lines(to: number, bad = -1): Generator<string> {
    for (let id = 0; id < to; id += 1) yield `${id === bad ? "none" : id}\tx\n`;
  }

  it("fills a table from texts, bytes, streams and functions, and reads it back", async () => {
    const sources = [
      "1\ta\n2\t\\N\n",
      Buffer.from("1\ta\n2\t\\N\n"),
      ["1\ta", "\n2\t\\N\n"],
      Readable.from([Buffer.from("1\t"), Buffer.from("a\n2\t\\N\n")]),
      () => ["1\ta\n2\t\\N\n"],
      copyRows([
        [1, "a"],
        [2, null],
      ]),
    ];
    for (const source of sources) {
      expect(await db.copyFrom({ table: "kept" }, source)).toBe(2);
      expect(await text(db.copyTo({ table: ["public", "kept"] }))).toBe("1\ta\n2\t\\N\n");
      await db.execute("DELETE FROM kept");
    }
    const csv = { table: "kept", columns: ['odd "name', "id"], format: "csv", header: true } as const;
    expect(await db.copyFrom(csv, 'n,id\n"a,b",7\n')).toBe(1);
    expect(await text(db.copyTo(csv))).toBe('"odd ""name",id\n"a,b",7\n');
    expect(await db.copyFrom("COPY kept (id) FROM STDIN", [])).toBe(0);
    const binary = await all(db.copyTo({ table: "kept", format: "binary" }));
    await db.execute("DELETE FROM kept");
    expect(await db.copyFrom({ table: "kept", format: "binary" }, binary)).toBe(1);
  });

  it("carries values of every kind, as parameters would", async () => {
    const at = new Date(1_700_000_000_123);
    const row = [
      "a\tb\\c\nd\r\\N",
      at,
      at,
      Buffer.from([0, 92, 255]),
      ['x"y', "NULL", null, "a,b\\"],
      { a: "\n" },
      true,
      9n,
      1.5,
      [1, 2],
    ];
    expect(await db.copyFrom({ table: "kinds" }, copyRows([row, row.map(() => null)]))).toBe(2);
    const placeholders = row.map((_, index) => `$${index + 1}`).join(", ");
    await db.execute(`INSERT INTO kinds VALUES (${placeholders})`, row);
    const [copied, none, sent] = await db.rows("SELECT * FROM kinds", { access: "write" });
    expect(copied).toEqual(sent);
    expect(Object.values(none ?? {})).toEqual(row.map(() => null));
  });

  it("takes what many pieces bring, no faster than the server does", async () => {
    let ahead = 0;
    const rows = function* (): Generator<string> {
      for (let id = 0; id < 300_000; id += 1) {
        ahead = id;
        yield `${id}\t${"x".repeat(50)}\n`;
      }
    };
    expect(await db.copyFrom({ table: "kept" }, rows())).toBe(300_000);
    expect(ahead).toBe(299_999);
    let bytes = 0;
    for await (const piece of db.copyTo("COPY kept TO STDOUT")) bytes += piece.byteLength;
    expect(bytes).toBeGreaterThan(300_000 * 52);
    const sink = new Writable({ write: (_piece, _encoding, done) => void setImmediate(done) });
    await pipeline(Readable.from(db.copyTo("COPY (SELECT * FROM kept) TO STDOUT")), sink);
  });

  it("keeps nothing when the rows are wrong or the source fails, and says which", async () => {
    expect(await errorOf(db.copyFrom({ table: "kept" }, lines(200_000, 100_000)))).toMatchObject({ code: "22P02" });
    expect(await errorOf(db.copyFrom({ table: "none" }, lines(10)))).toMatchObject({ code: "42P01" });
    const planted = Object.assign(new Error("planted"), { code: "ECONNRESET" });
    let closed = false;
    const failing = async function* (): AsyncGenerator<string> {
      yield* lines(100_000);
      throw planted;
    };
    expect(await errorOf(db.copyFrom({ table: "kept" }, failing()))).toBe(planted);
    const left = (function* (): Generator<string> {
      try {
        yield* lines(1_000_000, 5);
      } finally {
        closed = true;
      }
    })();
    await errorOf(db.copyFrom({ table: "kept" }, left));
    expect(closed).toBe(true);
    expect(await errorOf(db.copyFrom({ table: "kept" }, [7] as never))).toBeInstanceOf(UsageError);
    expect(await errorOf(db.copyFrom("SELECT 1", "x"))).toBeInstanceOf(UsageError);
    expect(await errorOf(db.copyFrom("COPY kept TO STDOUT", "x"))).toBeInstanceOf(Error);
    expect(await errorOf(db.copyFrom({ table: "kept", tabel: 1 } as never, "x"))).toBeInstanceOf(OptionError);
    expect(await errorOf(db.copyFrom({ table: "kept" }, undefined as never))).toBeInstanceOf(UsageError);
    expect(await count()).toBe(0);
  });

  it("ends with the signal's reason, and its source is closed, when the caller leaves", async () => {
    const abort = new AbortController();
    const source = new Readable({ read: () => undefined });
    source.push("1\tx\n");
    const copying = errorOf(db.copyFrom({ table: "kept" }, source, { signal: abort.signal }));
    const reason = new Error("enough");
    await until("it to run", async () => {
      const running = await cluster.primary.query(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY \"kept%' AND state = 'active'",
      );
      return running.length === 1;
    });
    abort.abort(reason);
    expect(await copying).toBe(reason);
    await until("its source to be closed", () => source.destroyed);
    const never = new Readable({ read: () => undefined });
    expect(await errorOf(db.copyFrom({ table: "kept" }, never, { timeoutMs: 100 }))).toMatchObject({
      code: "ERR_BREAKWATER_TIMEOUT",
    });
    expect(await count()).toBe(0);
  });

  it("gives back its connection when the reading is left, aborted, or fails", async () => {
    await db.copyFrom({ table: "kept" }, lines(100_000));
    for await (const _ of db.copyTo({ table: "kept" })) break;
    await until("connections to be back", () => db.stats().active === 0);
    const thrown = (async () => {
      for await (const _ of db.copyTo({ table: "kept" })) throw new Error("planted");
    })();
    expect((await errorOf(thrown)).message).toBe("planted");
    const abort = new AbortController();
    const reason = new Error("enough");
    const aborted = (async () => {
      for await (const _ of db.copyTo({ table: "kept" }, { signal: abort.signal })) abort.abort(reason);
    })();
    expect(await errorOf(aborted)).toBe(reason);
    const failing = db.copyTo("COPY (SELECT 1 / (50000 - n) FROM generate_series(1, 100000) AS n) TO STDOUT");
    expect(await errorOf(text(failing))).toMatchObject({ code: "22012" });
    expect(await errorOf(text(db.copyTo("COPY none TO STDOUT")))).toMatchObject({ code: "42P01" });
    expect(await errorOf(text(db.copyTo("COPY kept FROM STDIN", { access: "write" })))).toBeInstanceOf(Error);
    expect(await count()).toBe(100_000);
  });

  it("reads on a replica", async () => {
    const port = db.copyTo("COPY (SELECT inet_server_port()) TO STDOUT", { access: "read", consistency: "eventual" });
    expect(await text(port)).toBe(`${cluster.replicas[0]?.directPort}\n`);
  });

  it("is a part of a transaction", async () => {
    await db.transaction(async (transaction) => {
      expect(await transaction.copyFrom({ table: "kept" }, lines(50_000))).toBe(50_000);
      const reading = transaction.copyTo({ table: "kept" });
      await reading.next();
      expect(await errorOf(transaction.query("SELECT 1"))).toBeInstanceOf(UsageError);
      await reading.return();
      expect(await transaction.value("SELECT count(*)::int FROM kept")).toBe(50_000);
      await errorOf(transaction.transaction((part) => part.copyFrom({ table: "kept" }, "none\tx\n")));
      expect((await text(transaction.copyTo({ table: "kept" }))).split("\n")).toHaveLength(50_001);
    });
    expect(await count()).toBe(50_000);
    const held = await db.connect();
    await held.execute("DELETE FROM kept");
    expect(await held.copyFrom({ table: "kept" }, lines(3))).toBe(3);
    for await (const _ of held.copyTo({ table: "kept" })) break;
    expect(await held.value("SELECT 1")).toBe(1);
    held.release();
  });

  it("holds up no transaction whose function has forgotten it", async () => {
    await db.copyFrom({ table: "kept" }, lines(100_000));
    let left: AsyncGenerator<Uint8Array> | undefined;
    const forgotten = db.transaction(async (transaction) => {
      await transaction.execute("DELETE FROM kept WHERE id = 1");
      left = transaction.copyTo({ table: "kept" });
      await left.next();
      expect(await errorOf(transaction.transaction(async () => undefined))).toBeInstanceOf(UsageError);
    });
    expect((await errorOf(forgotten)).message).toContain("copyTo");
    expect(await errorOf(left!.next())).toBeInstanceOf(UsageError);
    const thrown = db.transaction(async (transaction) => {
      left = transaction.copyTo({ table: "kept" });
      await left.next();
      throw new Error("planted");
    });
    expect((await errorOf(thrown)).message).toBe("planted");
    expect(await count()).toBe(100_000);
  });

  it("leaves nothing behind, often, however it ends", { timeout: 240_000 }, async () => {
    const own = database(fromPg({ ...through(cluster.primary), max: 3 }, { acquireTimeoutMs: 60_000 }));
    await own.copyFrom({ table: "kept" }, lines(3_000));
    const random = seededRandom(5);
    const one = async (): Promise<void> => {
      const abort = new AbortController();
      const [kind, id] = [random(), Math.floor(random() * 1e9) + 10_000];
      const options = { signal: abort.signal };
      const source = async function* (): AsyncGenerator<string> {
        yield `${id}\tx\n`;
        if (kind < 0.1) throw new Error("planted");
        if (kind < 0.2) abort.abort(new Error("enough"));
        yield kind < 0.3 ? "none\tx\n" : "";
      };
      try {
        if (kind < 0.5) await own.copyFrom({ table: "kept" }, source(), options);
        else if (kind < 0.7)
          await own.executeMany("DELETE FROM kept WHERE id = $1", [[id], [kind < 0.6 ? "none" : id]]);
        else if (kind < 0.8) await own.batch(["SELECT 1", kind < 0.75 ? "SELECT 1 / 0" : "SELECT 2"], options);
        else {
          for await (const _ of own.copyTo("COPY (SELECT * FROM kept WHERE id < 3000) TO STDOUT", options)) {
            if (kind < 0.85) break;
            if (kind < 0.9) abort.abort(new Error("enough"));
          }
        }
      } catch (error) {
        expect(String(error)).toMatch(/planted|enough|invalid input syntax|division by zero/);
      }
    };
    for (let done = 0; done < 1_000; done += 20) await Promise.all(Array.from({ length: 20 }, one));
    // Who gave up has his answer before his connection has been ended or is clean again.
    await until("all to be back", () => own.stats().active === 0 && own.stats().waiting === 0);
    const held = await own.connect();
    const { stream } = (held.driver as { connection: { stream: EventEmitter } }).connection;
    for (const name of ["drain", "close", "data", "readable"]) expect(stream.listenerCount(name)).toBeLessThan(3);
    held.release();
    await own.close();
  });

  it("ends with an error when its connection dies, and keeps nothing of it", async () => {
    const killing = async function* (times: { left: number }): AsyncGenerator<string> {
      for (let id = 0; id < 200_000; id += 1) {
        if (id === 100_000 && times.left-- > 0) {
          await cluster.primary.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY \"kept%'",
          );
        }
        yield `${id}\tx\n`;
      }
    };
    expect(await errorOf(db.copyFrom({ table: "kept" }, killing({ left: 1 })))).toBeInstanceOf(Error);
    expect(await count()).toBe(0);
    const times = { left: 1 };
    expect(await db.copyFrom({ table: "kept" }, () => killing(times))).toBe(200_000);
    // More than fits between the server and its reader.
    const large = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 300000)) TO STDOUT";
    const lost = (async () => {
      for await (const _ of db.copyTo(large, { access: "write" })) {
        await cluster.primary.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT repeat%'",
        );
      }
    })();
    await errorOf(lost);
  });

  it("works on a bare pool, where nothing is resolved", async () => {
    const bare = database(fromPg(through(cluster.primary)));
    expect(await bare.copyFrom({ table: "kept" }, lines(3))).toBe(3);
    expect((await text(bare.copyTo({ table: "kept" }))).split("\n")).toHaveLength(4);
    await bare.close();
  });
});
