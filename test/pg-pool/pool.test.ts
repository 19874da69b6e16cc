import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { useServer, WAYS } from "./support.ts";

const server = useServer();

describe.each(WAYS)("%s, as pg documents its pool,", (_name, make) => {
  /** A pool for one test, ended after it. */
  async function using<T>(use: (pool: pg.Pool) => Promise<T>, config: pg.PoolConfig = {}): Promise<T> {
    const pool = make({ connectionString: server().directConnectionString, ...config });
    try {
      return await use(pool);
    } finally {
      if (!pool.ending) await pool.end();
    }
  }

  it("is a pg.Pool that has opened nothing", async () => {
    await using((pool) => {
      expect(pool).toBeInstanceOf(pg.Pool);
      expect(pool).toMatchObject({ totalCount: 0, idleCount: 0, waitingCount: 0, expiredCount: 0 });
      expect(pool).toMatchObject({ ending: false, ended: false, options: { max: 10 } });
      return Promise.resolve();
    });
  });

  it("answers a text, values, a configuration, a row mode and several statements", async () => {
    await using(async (pool) => {
      expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
      expect((await pool.query("SELECT $1::text AS name", ["a"])).rows).toEqual([{ name: "a" }]);
      expect((await pool.query({ text: "SELECT $1::int AS n", values: [2], name: "two" })).rows).toEqual([{ n: 2 }]);
      expect((await pool.query({ text: "SELECT $1::int", values: [3], rowMode: "array" })).rows).toEqual([[3]]);
      const several = (await pool.query("SELECT 1 AS a; SELECT 2 AS b")) as unknown as pg.QueryResult[];
      expect(several.map(({ rows }) => rows)).toEqual([[{ a: 1 }], [{ b: 2 }]]);
      const types = { getTypeParser: () => (value: string) => `<${value}>` } as pg.CustomTypesConfig;
      expect((await pool.query({ text: "SELECT 1 AS one", types })).rows).toEqual([{ one: "<1>" }]);
    });
  });

  it("calls back, later, with undefined for no error, and returns nothing then", async () => {
    await using(async (pool) => {
      let returned: unknown = "nothing yet";
      const given = await new Promise<readonly unknown[]>((resolve) => {
        returned = pool.query("SELECT $1::int AS n", [1], (...args: readonly unknown[]) => resolve(args)) as unknown;
      });
      expect(returned).toBeUndefined();
      expect(given).toMatchObject([undefined, { rows: [{ n: 1 }] }]);
      const [error, result] = await new Promise<readonly unknown[]>((resolve) => {
        pool.query("SELECT wrong", (...args: readonly unknown[]) => resolve(args));
      });
      expect(error).toMatchObject({ code: "42703" });
      expect(result).toBeUndefined();
    });
  });

  it("gives the answer of a pg.Query, as of a text", async () => {
    await using(async (pool) => {
      // Its type promises the query itself, and what comes is its answer.
      const answer = pool.query(new pg.Query("SELECT 7 AS seven")) as unknown as Promise<pg.QueryResult>;
      expect(await answer).toMatchObject({ rows: [{ seven: 7 }] });
    });
  });

  it("passes a statement's own error on, with class, code and message", async () => {
    await using(async (pool) => {
      const error: unknown = await pool.query("SELECT 1 / 0").catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(pg.DatabaseError);
      expect(error).toMatchObject({ code: "22012", message: "division by zero", severity: "ERROR" });
    });
  });

  it("says in pg's words what is no query", async () => {
    await using(async (pool) => {
      await expect(pool.query(null as never)).rejects.toThrow(
        new TypeError("Client was passed a null or undefined query"),
      );
      await expect(pool.query({} as never)).rejects.toThrow("must have either text or a name");
      await expect(pool.query("SELECT $1", "a" as never)).rejects.toThrow("Query values must be an array");
      const error = await new Promise((resolve) => pool.query(resolve as never));
      expect(error).toMatchObject({ message: expect.stringContaining("first parameter to pool.query") });
    });
  });

  it("ends a connection whose statement failed, as pg's pool does", async () => {
    await using(async (pool) => {
      await pool.query("SELECT 1 / 0").catch(() => undefined);
      expect(pool.totalCount).toBe(0);
    });
  });

  it("lends real clients, by promise and by callback", async () => {
    await using(async (pool) => {
      const client = await pool.connect();
      expect(client).toBeInstanceOf(pg.Client);
      expect(pool).toMatchObject({ totalCount: 1, idleCount: 0 });
      client.release();
      expect(pool).toMatchObject({ totalCount: 1, idleCount: 1 });
      const [error, again, release] = await new Promise<readonly unknown[]>((resolve) => {
        pool.connect((...args) => resolve(args));
      });
      expect([error, again]).toEqual([undefined, client]);
      (release as () => void)();
      expect(pool).toMatchObject({ totalCount: 1, idleCount: 1 });
    });
  });

  it("refuses a second release, however it is given", async () => {
    await using(async (pool) => {
      const client = await pool.connect();
      const release: () => void = client.release.bind(client);
      client.release();
      const twice = "Release called on client which has already been released to the pool.";
      expect(() => client.release()).toThrow(twice);
      expect(() => release()).toThrow(twice);
      await pool.query("SELECT 1");
      expect(() => release()).toThrow(twice);
    });
  });

  it("ends a client that is released with an error, or true", async () => {
    await using(async (pool) => {
      for (const reason of [new Error("broken"), true]) {
        const client = await pool.connect();
        client.release(reason);
        expect(pool.totalCount).toBe(0);
        const next = await pool.connect();
        expect(next).not.toBe(client);
        next.release();
      }
    });
  });

  it("serves those who wait in the order of their coming, and counts them", async () => {
    await using(
      async (pool) => {
        const first = await pool.connect();
        const order: number[] = [];
        const waiting = [1, 2, 3].map(async (number) => {
          const client = await pool.connect();
          order.push(number);
          client.release();
        });
        expect(pool).toMatchObject({ totalCount: 1, idleCount: 0, waitingCount: 3 });
        first.release();
        await Promise.all(waiting);
        expect(order).toEqual([1, 2, 3]);
        expect(pool.waitingCount).toBe(0);
      },
      { max: 1 },
    );
  });

  it("tells of connect, acquire, release and remove in pg's order, with pg's arguments", async () => {
    await using(async (pool) => {
      const heard: [name: string, ...given: unknown[]][] = [];
      for (const name of ["connect", "acquire", "release", "remove"] as const) {
        pool.on(name, (...given: readonly unknown[]) => void heard.push([name, ...given]));
      }
      const client = await pool.connect();
      client.release();
      await pool.query("SELECT 1");
      const broken = new Error("broken");
      (await pool.connect()).release(broken);
      await expect.poll(() => heard.length).toBe(8);
      expect(heard).toEqual([
        ["connect", client],
        ["acquire", client],
        ["release", undefined, client],
        ["acquire", client],
        ["release", undefined, client],
        ["acquire", client],
        ["release", broken, client],
        ["remove", client],
      ]);
    });
  });

  it("sends what a connect listener asks for before everything else", async () => {
    await using(async (pool) => {
      pool.on("connect", (client) => void client.query("SET application_name = 'set by a listener'"));
      const { rows } = await pool.query("SHOW application_name");
      expect(rows).toEqual([{ application_name: "set by a listener" }]);
    });
  });

  it("tells of an idle client that dies, and ends no process where nobody listens", async () => {
    await using(async (pool) => {
      const client = await pool.connect();
      client.release();
      expect(() => client.emit("error", new Error("nobody listens"))).not.toThrow();
      expect(pool.totalCount).toBe(0);
      const other = await pool.connect();
      other.release();
      const heard: unknown[] = [];
      pool.on("error", (...given) => void heard.push(...given));
      const reason = new Error("it died");
      other.emit("error", reason);
      expect(heard).toEqual([reason, other]);
    });
  });

  it("forgets a client that died in use when it is released", async () => {
    await using(async (pool) => {
      const client = await pool.connect();
      client.on("error", () => undefined);
      await client.query("SELECT pg_terminate_backend(pg_backend_pid())").catch(() => undefined);
      client.release();
      await expect.poll(() => pool.totalCount).toBe(0);
      expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    });
  });

  it("refuses by the connection timeout when no client becomes free", async () => {
    await using(
      async (pool) => {
        const held = await pool.connect();
        const started = performance.now();
        // A stack may try again: what is to be shown is that the wait has an end, and in which words.
        await expect(pool.connect()).rejects.toThrow("timeout exceeded when trying to connect");
        await expect(pool.query("SELECT 1")).rejects.toThrow("timeout exceeded when trying to connect");
        expect(performance.now() - started).toBeGreaterThan(900);
        held.release();
        expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
      },
      { max: 1, connectionTimeoutMillis: 500 },
    );
  });

  it("ends when what runs has ended, once, and refuses what comes later", async () => {
    await using(async (pool) => {
      const client = await pool.connect();
      const running = pool.query("SELECT pg_sleep(0.05)");
      let ended = false;
      const ending = pool.end().then(() => (ended = true));
      expect(pool).toMatchObject({ ending: true, ended: false });
      await expect(pool.end()).rejects.toThrow("Called end on pool more than once");
      await expect(pool.connect()).rejects.toThrow("Cannot use a pool after calling end on the pool");
      await expect(pool.query("SELECT 1")).rejects.toThrow("Cannot use a pool after calling end on the pool");
      await running;
      expect(ended).toBe(false);
      expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
      client.release();
      await ending;
      expect(pool).toMatchObject({ ended: true, totalCount: 0 });
    });
  });

  it("ends by callback", async () => {
    await using(async (pool) => {
      await pool.query("SELECT 1");
      await new Promise<void>((resolve) => expect(pool.end(resolve) as unknown).toBeUndefined());
      expect(pool.ended).toBe(true);
      await new Promise<void>((resolve) => {
        (pool.end as (done: (error: unknown) => void) => void)((error) => {
          expect(error).toMatchObject({ message: "Called end on pool more than once" });
          resolve();
        });
      });
    });
  });

  it("ends idle clients by the idle timeout, clients by their uses, and runs onConnect", async () => {
    await using(
      async (pool) => {
        const client = await pool.connect();
        client.release();
        await expect.poll(() => pool.totalCount).toBe(0);
      },
      { idleTimeoutMillis: 5 },
    );
    let prepared = 0;
    await using(
      async (pool) => {
        const pids = new Set<number>();
        for (let use = 0; use < 4; use += 1) {
          pids.add((await pool.query("SELECT pg_backend_pid() AS pid")).rows[0].pid);
        }
        expect(pids.size).toBe(2);
        expect(prepared).toBe(2);
      },
      { maxUses: 2, onConnect: () => void (prepared += 1) },
    );
  });

  it("has ended an idle client when a timer rings that was set for longer, after the answer", async () => {
    await using(
      async (pool) => {
        for (let turn = 0; turn < 60; turn += 1) {
          await pool.query("SELECT 1");
          await setTimeout(2);
          expect(pool).toMatchObject({ totalCount: 0, idleCount: 0 });
        }
      },
      { idleTimeoutMillis: 1 },
    );
  });

  it("leaves what a callback throws to the process", async () => {
    await using(async (pool) => {
      const before = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      try {
        const caught = new Promise((resolve) => process.once("uncaughtException", resolve));
        const thrown = new Error("thrown by a callback");
        pool.query("SELECT 1", () => {
          throw thrown;
        });
        expect(await Promise.race([caught, setTimeout(5_000, "nothing was caught")])).toBe(thrown);
      } finally {
        for (const listener of before) process.on("uncaughtException", listener);
      }
    });
  });
});
