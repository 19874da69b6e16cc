/**
 * The first statement of a transaction goes to the server together with what begins it. Whatever becomes of that message,
 * the transaction is as if each of its statements had been sent by itself.
 */
import { type Cluster, type Fault, type FaultProxy, startCluster } from "@breakwater/chaos";
import {
  compose,
  type Database,
  database,
  failureOf,
  OutcomeUnknownError,
  type Transaction,
  type TransactionOptions,
} from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { commitResolution, retry } from "@breakwater/policies";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noConnectionLeft, stackOn } from "../support/database.ts";
import { errorOf, until } from "../support/wait.ts";

const INSERT = "INSERT INTO firsts (id) VALUES ($1) RETURNING id, name";

describe("the first statement of a transaction", () => {
  let cluster: Cluster;
  let proxy: FaultProxy;
  let db: Database;
  let next = 100;

  const open = (url = cluster.primary.connectionString): Database =>
    database(
      compose(
        retry({ initialDelayMs: 1, maxDelayMs: 5 }),
        commitResolution(),
      )(fromPg({ connectionString: url, max: 1 })),
    );
  const rowsOf = async (id: number): Promise<number> =>
    (await cluster.primary.query("SELECT 1 FROM firsts WHERE id = $1", [id])).length;
  /** The connection has served a transaction: from now on the first statement goes along. */
  const warm = (of: Database = db): Promise<unknown> =>
    of.transaction((transaction) => transaction.query(INSERT, [next++]));
  /** How many messages of a kind pass during a call. */
  const count = async (message: string, call: () => Promise<unknown>): Promise<number> => {
    using seen = proxy.delayMessage({ message, ms: 0 });
    await call();
    return seen.hits;
  };

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1 });
    ({ proxy } = cluster.primary);
    await cluster.primary.query(`CREATE TABLE firsts (id int PRIMARY KEY, name text DEFAULT 'first');
      CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)`);
    db = open();
  });

  // What a test has done to the connection is over.
  beforeEach(() => warm());

  afterEach(() => {
    expect(db.stats()).toMatchObject({ active: 0, waiting: 0 });
  });

  afterAll(async () => {
    await db.close();
    await noConnectionLeft(cluster);
    await cluster.close();
  });

  it("saves a way to the server and back", async () => {
    const update = (transaction: Transaction): Promise<unknown> => transaction.query("UPDATE firsts SET name = 'x'");
    const ways: readonly (readonly [number, (transaction: Transaction) => Promise<unknown>])[] = [
      [2, () => Promise.resolve()],
      [2, update],
      [3, async (transaction) => [await update(transaction), await update(transaction)]],
      [3, (transaction) => Promise.all([update(transaction), update(transaction)])],
    ];
    // Each flight ends in one Sync; COMMIT is a simple message, and the question behind it ends in one.
    for (const [syncs, run] of ways) expect(await count("Sync", () => db.transaction(run))).toBe(syncs);
    expect(await count("Sync", () => db.query(INSERT, [next++], { exactlyOnce: true }))).toBe(2);
    expect(await count("Sync", () => errorOf(db.transaction(() => Promise.reject(new Error("mine")))))).toBe(1);
    const fresh = open();
    const first = await count("Sync", () => warm(fresh));
    expect(await count("Sync", () => warm(fresh))).toBe(first - 1 - 1);
    await fresh.close();
  });

  it("answers as it does by itself", async () => {
    const plain = new pg.Client(cluster.primary.directConnectionString);
    await plain.connect();
    const texts: readonly (readonly [string, readonly unknown[]])[] = [
      ["SELECT 1 AS one, NULL AS none, now() > 'yesterday' AS later, '{1,2}'::int[] AS numbers", []],
      ["SELECT * FROM firsts WHERE id = $1", [-1]],
      ["UPDATE firsts SET name = $1 WHERE id = $2 RETURNING *", ["other", 100]],
      ["UPDATE firsts SET name = $1 WHERE false", [null]],
      ["SELECT $1::jsonb AS made, $2::text[] AS listed", [{ a: [1] }, ["x", 'y"']]],
      ["VALUES (1), (2)", []],
      ["SELECT", []],
    ];
    for (const [text, values] of texts) {
      const expected = await plain.query(text, [...values]);
      // The second time it is prepared, the third time it is known.
      for (let time = 1; time <= 3; time += 1) {
        const { rows, fields, command, rowCount } = await db.transaction((transaction) =>
          transaction.query(text, values),
        );
        expect([text, { rows, fields: [...fields], command, rowCount }]).toStrictEqual([
          text,
          { rows: expected.rows, fields: expected.fields, command: expected.command, rowCount: expected.rowCount },
        ]);
      }
      const arrays = await db.transaction((transaction) => transaction.query({ text, values, rowMode: "array" }));
      expect(arrays.rows).toStrictEqual((await plain.query({ text, values: [...values], rowMode: "array" })).rows);
    }
    await plain.end();
  });

  const ways: Readonly<Record<string, (transaction: Transaction, id: number) => Promise<unknown>>> = {
    "a statement": (transaction, id) => transaction.query(INSERT, [id]),
    "two at once": (transaction, id) =>
      Promise.all([transaction.query(INSERT, [id]), transaction.query("SELECT pg_current_xact_id()")]),
    "one that nobody waits for": (transaction, id) => Promise.resolve(void transaction.query(INSERT, [id])),
    "a part": (transaction, id) => transaction.transaction((part) => part.query(INSERT, [id])),
    "SET LOCAL": async (transaction, id) => [
      await transaction.query("SET LOCAL work_mem = '8MB'"),
      await transaction.query(INSERT, [id]),
    ],
    "several statements": (transaction, id) => transaction.query(`INSERT INTO firsts VALUES (${id}); SELECT 1`),
    "a named one": (transaction, id) => transaction.query({ name: "named", text: INSERT, values: [id] }),
    "a batch": (transaction, id) => transaction.batch([{ text: INSERT, values: [id] }, "SELECT 1"]),
    "many rows": (transaction, id) => transaction.executeMany("INSERT INTO firsts VALUES ($1)", [[id]]),
    "a stream": async (transaction, id) => {
      for await (const row of transaction.stream(`WITH made AS (${INSERT}) SELECT * FROM made`, [id])) return row;
      return undefined;
    },
    COPY: (transaction, id) => transaction.copyFrom({ table: "firsts", columns: ["id"] }, `${id}\n`),
    "the driver's own client": (transaction, id) => (transaction.driver as pg.Client).query(INSERT, [id]),
    "the driver's own client behind a statement": (transaction, id) => {
      const first = transaction.query("SELECT 1");
      return Promise.all([(transaction.driver as pg.Client).query(INSERT, [id]), first]);
    },
    "a statement behind the driver's own client": (transaction, id) => {
      const raw = (transaction.driver as pg.Client).query("SELECT 1");
      return Promise.all([transaction.query(INSERT, [id]), raw]);
    },
  };
  it.each(Object.keys(ways))("is in the transaction: %s", async (way) => {
    const run = ways[way] as (typeof ways)[string];
    for (let time = 1; time <= 2; time += 1) {
      const [kept, undone] = [next++, next++];
      await db.transaction((transaction) => run(transaction, kept));
      await errorOf(
        db.transaction(async (transaction) => {
          await run(transaction, undone);
          throw new Error("mine");
        }),
      );
      expect([await rowsOf(kept), await rowsOf(undone)]).toEqual([1, 0]);
    }
  });

  it("leaves the link to the driver's own client whenever that is looked at, and takes it again", async () => {
    const id = next++;
    await db.transaction(async (transaction) => {
      await transaction.query(INSERT, [id]);
      const running = transaction.query("SELECT pg_sleep(0.01)");
      const client = transaction.driver as pg.Client;
      const texts = ["UPDATE firsts SET name = 'raw' WHERE id = $1", "SELECT name FROM firsts WHERE id = $1"];
      for (const text of texts) await client.query(text, [id]);
      await running;
      for (let time = 1; time <= 3; time += 1) {
        expect((await transaction.query(texts[1] ?? "", [id])).rows).toEqual([{ name: "raw" }]);
        expect((await client.query(texts[1] ?? "", [id])).rows).toEqual([{ name: "raw" }]);
      }
    });
    expect(await rowsOf(id)).toBe(1);
  });

  it("lets through what the server says by itself between two statements", async () => {
    const notices: unknown[] = [];
    const stop = db.on("connection:notice", ({ notice }) => notices.push((notice as Error).message));
    const settings = await db.transaction(async (transaction) => {
      await transaction.query("SELECT 1");
      await transaction.query("SET LOCAL application_name = 'within'");
      await transaction.query("DO $$ BEGIN RAISE NOTICE 'said'; END $$");
      return (await transaction.query("SELECT current_setting('application_name') AS name")).rows;
    });
    expect(settings).toEqual([{ name: "within" }]);
    expect(notices).toEqual(["said"]);
    stop();
  });

  it("that has been answered is undone, and its function run again, when the server ends the idle connection", async () => {
    const attempts: number[] = [];
    const id = next++;
    await db.transaction(async (transaction) => {
      attempts.push(transaction.attempt);
      const { rows } = await transaction.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      await transaction.query(INSERT, [id]);
      if (transaction.attempt > 1) return;
      await cluster.primary.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
      const there = "SELECT 1 FROM pg_stat_activity WHERE pid = $1";
      await until("it has gone", async () => (await cluster.primary.query(there, [rows[0]?.pid])).length === 0);
      await transaction.query("SELECT 1");
    });
    expect([attempts, await rowsOf(id)]).toEqual([[1, 2], 1]);
  });

  const begins: readonly TransactionOptions[] = [{ isolation: "serializable" }, { isolation: "repeatable read" }];
  it.each(begins)("runs as the transaction was begun: %o", async (options) => {
    const text = "SELECT current_setting('transaction_isolation') AS level";
    expect((await db.transaction((transaction) => transaction.query(text), options)).rows).toEqual([
      { level: options.isolation },
    ]);
  });

  it("fails with its own error, and leaves a transaction that has failed", async () => {
    const attempts: number[] = [];
    const error = await errorOf(
      db.transaction(async (transaction) => {
        attempts.push(transaction.attempt);
        const own = await errorOf(transaction.query(INSERT, [100]));
        expect(own).toMatchObject({ code: "23505" });
        expect(failureOf(own)).toMatchObject({ phase: "running", effect: "none", retry: "never", blames: "statement" });
        expect(await errorOf(transaction.query("SELECT 1"))).toMatchObject({ code: "25P02" });
      }),
    );
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_ROLLED_BACK" });
    expect(attempts).toEqual([1]);
    await expect(db.transaction((transaction) => transaction.query("SELECT nothing"))).rejects.toMatchObject({
      code: "42703",
      position: "8",
    });
  });

  it("that failed has not kept the transaction from having begun: ended by hand, what follows is by itself", async () => {
    const id = next++;
    const attempts: number[] = [];
    using lost = proxy.dropReply({ to: /firsts \(id\)/ });
    const error = await errorOf(
      db.transaction(async (transaction) => {
        attempts.push(transaction.attempt);
        await errorOf(transaction.query("SELECT nothing"));
        await transaction.query("ROLLBACK");
        await transaction.query(INSERT, [id]);
      }),
    );
    expect(error).toBeInstanceOf(OutcomeUnknownError);
    expect([attempts, lost.hits, await rowsOf(id)]).toEqual([[1], 1, 1]);
  });

  it("of which no message can be made has not been sent, and the transaction goes on", async () => {
    const id = next++;
    const bad = {
      toPostgres: () => {
        throw new Error("no value");
      },
    };
    await db.transaction(async (transaction) => {
      const error = await errorOf(transaction.query(INSERT, [bad]));
      expect(error.message).toBe("no value");
      expect(failureOf(error)).toMatchObject({ phase: "unsent", effect: "none", blames: "caller" });
      await transaction.query(INSERT, [id]);
    });
    expect(await rowsOf(id)).toBe(1);
  });

  it("is in the transaction, and so is what the conversion of its values sends", async () => {
    const sends: readonly ((transaction: Transaction, text: string) => Promise<unknown>)[] = [
      (transaction, text) => transaction.query(text),
      (transaction, text) => (transaction.driver as pg.Client).query(text),
    ];
    for (const send of sends) {
      const id = next++;
      const inner: Promise<unknown>[] = [];
      const error = await errorOf(
        db.transaction(async (transaction) => {
          const value = {
            toPostgres: () => {
              if (inner.length === 0) inner.push(send(transaction, `INSERT INTO firsts VALUES (${id}) RETURNING id`));
              return "made";
            },
          };
          const { rows } = await transaction.query("SELECT $1::text AS name", [value]);
          expect(rows).toEqual([{ name: "made" }]);
          await Promise.all(inner);
          throw new Error("mine");
        }),
      );
      expect([error.message, inner.length, await rowsOf(id)]).toEqual(["mine", 1, 0]);
    }
  });

  const strikes: Readonly<Record<string, () => Fault>> = {
    "the link is cut before BEGIN": () => proxy.cutBefore({ to: /^BEGIN/, times: 1 }),
    "the link is cut before it": () => proxy.cutBefore({ to: /firsts \(id\)/, times: 1 }),
    "the link is cut when BEGIN has been read": () => proxy.cutAfterParse({ to: /^BEGIN/, times: 1 }),
    "the link is cut before the server is ready": () => proxy.cutBeforeReady({ to: /firsts \(id\)/, times: 1 }),
    "its answer is lost": () => proxy.dropReply({ to: /firsts \(id\)/, times: 1 }),
    "the answer to BEGIN is lost": () => proxy.dropReply({ to: /^BEGIN/, times: 1 }),
    "the answer to the question is lost": () => proxy.dropReply({ to: /pg_current_xact_id/, times: 1 }),
    "it fails for a while": () => proxy.inject({ to: /firsts \(id\)/, sqlstate: "40001", times: 1 }),
    "BEGIN fails for a while": () => proxy.inject({ to: /^BEGIN/, sqlstate: "40001", times: 1 }),
    "the question fails for a while": () => proxy.inject({ to: /pg_current_xact_id/, sqlstate: "40001", times: 1 }),
    "the server ends the connection at BEGIN": () =>
      proxy.inject({ to: /^BEGIN/, sqlstate: "57P01", severity: "FATAL", times: 1 }),
    "the server ends the connection at it": () =>
      proxy.inject({ to: /firsts \(id\)/, sqlstate: "57P01", severity: "FATAL", times: 1 }),
  };
  it.each(Object.keys(strikes))("is run again with its transaction when %s", async (strike) => {
    for (const swallows of [false, true]) {
      await warm();
      const id = next++;
      const attempts: number[] = [];
      using fault = (strikes[strike] as () => Fault)();
      const value = await db.transaction(async (transaction) => {
        attempts.push(transaction.attempt);
        const first = transaction.query<{ id: number }>(INSERT, [id]);
        if (swallows) await first.catch(() => transaction.query("SELECT 1")).catch(() => undefined);
        return (await first).rows[0]?.id;
      });
      expect([strike, value, await rowsOf(id), attempts, fault.hits]).toEqual([strike, id, 1, [1, 2], 1]);
    }
  });

  it("is run again with its transaction when its server process is ended meanwhile, or was before", async () => {
    const { primary } = cluster;
    const others = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND query LIKE $1`;
    const holder = new pg.Client(primary.directConnectionString);
    await holder.connect();
    const id = next++;
    await holder.query("BEGIN");
    await holder.query("SELECT 1 FROM firsts WHERE id = 100 FOR UPDATE");
    const attempts: number[] = [];
    const ran = db.transaction(async (transaction) => {
      attempts.push(transaction.attempt);
      await transaction.query("UPDATE firsts SET name = 'ended' WHERE id = 100");
      await transaction.query(INSERT, [id]);
    });
    await until(
      "the process is ended",
      async () => (await primary.query(others, ["UPDATE firsts SET name = 'ended'%"])).length > 0,
    );
    await until("it runs again", () => attempts.length === 2);
    await holder.query("COMMIT");
    await ran;
    expect([attempts, await rowsOf(id)]).toEqual([[1, 2], 1]);
    for (let time = 1; time <= 5; time += 1) {
      const again = next++;
      const { rows } = await db.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      // Nobody has heard yet that it has gone.
      await Promise.all([
        holder.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]),
        db.transaction((transaction) => transaction.query(INSERT, [again])),
      ]);
      expect(await rowsOf(again)).toBe(1);
    }
    await holder.end();
  });

  it("that takes too long, or whose caller leaves, has done nothing, and its connection is not used again", async () => {
    const holder = new pg.Client(cluster.primary.directConnectionString);
    await holder.connect();
    await holder.query("BEGIN");
    await holder.query("SELECT 1 FROM firsts WHERE id = 100 FOR UPDATE");
    const bare = database(fromPg({ connectionString: cluster.primary.connectionString, max: 1 }));
    const wait = (options: object): Promise<unknown> =>
      bare.transaction((transaction) => transaction.query("UPDATE firsts SET name = 'late' WHERE id = 100"), options);
    await warm(bare);
    const late = await errorOf(wait({ timeoutMs: 150 }));
    expect(late).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
    expect(failureOf(late)).toMatchObject({ phase: "running", effect: "none", retry: "other-node" });
    await warm(bare);
    const controller = new AbortController();
    const left = errorOf(wait({ signal: controller.signal }));
    const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%late%'";
    await until("it waits", async () => (await cluster.primary.query(waiting)).length > 0);
    controller.abort(new Error("left"));
    expect((await left).message).toBe("left");
    await holder.query("COMMIT");
    await holder.end();
    await bare.close();
    expect(await cluster.primary.query("SELECT 1 FROM firsts WHERE name = 'late'")).toEqual([]);
  });

  it("that was prepared for what has changed is run again with its transaction, and carried out once", async () => {
    const text = "SELECT * FROM changing";
    const read = (): Promise<unknown[]> => {
      const attempts: number[] = [];
      return db.transaction(async (transaction) => {
        attempts.push(transaction.attempt);
        const { rows } = await transaction.query(text);
        return [rows, [...attempts]];
      });
    };
    for (let time = 1; time <= 3; time += 1) expect(await read()).toEqual([[{ a: 1 }], [1]]);
    await cluster.primary.query("ALTER TABLE changing ADD b int");
    expect(await read()).toEqual([[{ a: 1, b: null }], [1, 2]]);
    expect(await read()).toEqual([[{ a: 1, b: null }], [1]]);
  });

  it("of the driver's own client is not carried out when there is no transaction to be in", async () => {
    const seen: string[] = [];
    const stop = proxy.onStatement((text) => seen.push(text));
    for (const behind of [false, true]) {
      await warm();
      const id = next++;
      using fault = proxy.inject({ to: /^BEGIN/, sqlstate: "22000", times: 1 });
      let raw: Promise<unknown> | undefined;
      const error = await errorOf(
        db.transaction(async (transaction) => {
          const first = behind ? transaction.query("SELECT 1") : undefined;
          raw = errorOf((transaction.driver as pg.Client).query(`INSERT INTO firsts VALUES (${id})`));
          await raw;
          await first;
        }),
      );
      expect(error).toMatchObject({ code: "22000" });
      expect(await raw).toBeInstanceOf(Error);
      expect([fault.hits, await rowsOf(id)]).toEqual([1, 0]);
      expect(seen.filter((text) => text.includes(`VALUES (${id})`))).toEqual([]);
    }
    stop();
  });

  it("finds a BEGIN that fails on a standby, as if it were sent behind it, and keeps the connection", async () => {
    const standby = open(cluster.replicas[0]?.connectionString);
    const pid = async (): Promise<unknown> => (await standby.query("SELECT pg_backend_pid() AS pid")).rows;
    await standby.transaction((transaction) => transaction.query("SELECT 1"), { readOnly: true });
    const before = await pid();
    const heard: unknown[] = [];
    const error = await errorOf(
      standby.transaction(
        async (transaction) => {
          for (const text of ["SELECT 1", "SELECT 2"]) heard.push(await errorOf(transaction.query(text)));
        },
        { isolation: "serializable", readOnly: true },
      ),
    );
    expect(error).toMatchObject({ code: "0A000" });
    expect(heard.slice(-2)).toEqual([error, error]);
    expect(heard[0]).toBe(heard[1]);
    expect(await pid()).toEqual(before);
    await standby.close();
  });

  it("is carried out exactly once however often links are cut", async () => {
    await cluster.primary.query("CREATE TABLE counted (id int, part int)");
    const stack = stackOn(cluster);
    const faults = [
      proxy.cutBefore({ to: /^BEGIN|counted/, every: 29 }),
      proxy.cutBeforeReady({ to: /counted/, every: 31 }),
      proxy.dropReply({ to: /^BEGIN|^COMMIT|counted/, every: 37 }),
      proxy.inject({ to: /pg_current_xact_id|counted/, sqlstate: "40001", every: 23 }),
    ];
    const left = Array.from({ length: 300 }, (_, id) => id);
    const ended = new Map<number, "kept" | "not kept" | "unknown">();
    const caller = async (): Promise<void> => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) {
        const own = id;
        const insert = stack.transaction(async (transaction) => {
          await transaction.query("INSERT INTO counted VALUES ($1, 1)", [own]);
          if (own % 2 === 0) await transaction.query("INSERT INTO counted VALUES ($1, 2)", [own]);
        });
        const failed = (error: unknown): "not kept" | "unknown" =>
          failureOf(error).effect === "none" ? "not kept" : "unknown";
        ended.set(own, await insert.then((): "kept" => "kept", failed));
      }
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    for (const fault of faults) {
      expect(fault.hits).toBeGreaterThan(0);
      fault.off();
    }
    await stack.close();
    const rows = await cluster.primary.query<{ id: number; parts: string }>(
      "SELECT id, string_agg(part::text, ',' ORDER BY part) AS parts FROM counted GROUP BY id ORDER BY id",
    );
    const found = new Map(rows.map(({ id, parts }) => [id, parts]));
    for (const [id, end] of ended) {
      const whole = id % 2 === 0 ? "1,2" : "1";
      // Never twice, never half.
      const expected = end === "kept" || (end === "unknown" && found.has(id)) ? whole : undefined;
      expect([id, end, found.get(id)]).toEqual([id, end, expected]);
    }
    expect(ended.size).toBe(300);
    // Nearly all: retries have their limit.
    expect([...ended.values()].filter((end) => end === "kept").length).toBeGreaterThan(200);
  });
});
