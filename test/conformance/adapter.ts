/**
 * What every adapter of PostgreSQL must do, whatever its driver. An adapter is one line: how to make a pool of it.
 */
import { type Cluster, startCluster } from "@breakwater/chaos";
import {
  database,
  type Database,
  failureOf,
  type LifecycleOptions,
  type Operation,
  operationContext,
  type Pool,
  queryOperation,
} from "@breakwater/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";

/** What a pool under test is made with. */
export interface PoolRequest {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** What its connections call themselves at the server. */
  readonly application: string;
  readonly max: number;
  readonly acquireTimeoutMs: number;
}

const APPLICATION = "conformance";

/**
 * Runs the suite for one adapter. How its connections live is part of it where that is the adapter's to say: under the
 * same names as everywhere.
 */
export function adapterConformance(
  name: string,
  makePool: (request: PoolRequest, lifecycle: LifecycleOptions) => Pool,
  { lifecycle = true }: { readonly lifecycle?: boolean } = {},
): void {
  describe(`adapter ${name}`, () => {
    let cluster: Cluster;
    let pool: Pool;
    let db: Database;
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

    const make = (max: number, options: LifecycleOptions = {}): Pool =>
      makePool(
        {
          host: "127.0.0.1",
          port: cluster.primary.port,
          user: "postgres",
          database: "postgres",
          application: APPLICATION,
          max,
          acquireTimeoutMs: 500,
        },
        options,
      );
    const admin = (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
      cluster.primary.query(text, values);
    const connections = async (): Promise<number> =>
      Number(
        (await admin("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = $1", [APPLICATION]))[0]?.[
          "n"
        ],
      );
    const pidOf = async (on: Pick<Database, "query"> = db): Promise<number> =>
      (await on.query<{ pid: number }>("SELECT pg_backend_pid() AS pid", undefined)).rows[0]?.pid ?? 0;
    /** Resolves when a statement with this mark runs at the server. */
    const running = (mark: string, yes = true): Promise<void> =>
      until(`${mark} to run: ${yes}`, async () => {
        const rows = await admin(
          "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND application_name = $1 AND query LIKE $2",
          [APPLICATION, `%/* ${mark} */%`],
        );
        return rows.length > 0 === yes;
      });

    beforeAll(async () => {
      process.on("unhandledRejection", onUnhandled);
      cluster = await startCluster({ replicas: 0 });
      await admin("CREATE TABLE conformance (id int PRIMARY KEY, note text)");
    });

    afterAll(async () => {
      await cluster.close();
      process.off("unhandledRejection", onUnhandled);
    });

    beforeEach(async () => {
      await admin("TRUNCATE conformance");
      pool = make(2);
      db = database(pool);
    });

    afterEach(async () => {
      const began = performance.now();
      await db.close({ drainMs: 500 });
      expect(performance.now() - began).toBeLessThan(5_000);
      await until("no connection to be left", async () => (await connections()) === 0);
      expect(unhandled.splice(0)).toEqual([]);
    });

    describe("a statement", () => {
      it("is answered with rows, their number, the command and the columns", async () => {
        const answer = await db.query("SELECT $1::int AS a, $2::text AS b", [1, "x"]);
        expect(answer.rows).toEqual([{ a: 1, b: "x" }]);
        expect([answer.rowCount, answer.command, answer.fields.map((field) => field.name)]).toEqual([
          1,
          "SELECT",
          ["a", "b"],
        ]);
        const changed = await db.query("INSERT INTO conformance VALUES (1), (2)");
        expect([changed.rowCount, changed.command, changed.rows]).toEqual([2, "INSERT", []]);
      });

      it("gives rows as arrays when asked to, and can be prepared under a name", async () => {
        const statement = { text: "SELECT $1::int, $1::int + 1", rowMode: "array", name: "pair" } as const;
        expect((await db.query(statement, [1])).rows).toEqual([[1, 2]]);
        expect((await db.query(statement, [5])).rows).toEqual([[5, 6]]);
      });

      it("that is prepared under a name which another text has is refused, not kept waiting", async () => {
        const one = database(make(1));
        await one.query({ name: "taken", text: "SELECT 1 AS a" });
        expect(failureOf(await errorOf(one.query({ name: "taken", text: "SELECT 2 AS b" })))).toMatchObject({
          effect: "none",
        });
        expect((await one.query("SELECT 3 AS c")).rows).toEqual([{ c: 3 }]);
        await one.close();
      });

      it("that was prepared before its table changed is prepared again", async () => {
        const one = database(make(1));
        const statement = { name: "all", text: "SELECT * FROM changing" };
        await admin("CREATE TABLE changing (a int)");
        await one.query(statement);
        await admin("ALTER TABLE changing ADD b int");
        const first = await one.query(statement).catch((error: unknown) => failureOf(error));
        if ("retry" in first) expect(first).toMatchObject({ retry: "same-node", effect: "none" });
        expect((await one.query(statement)).fields.map((field) => field.name)).toEqual(["a", "b"]);
        await one.query("DEALLOCATE ALL");
        await one.query(statement).catch(() => undefined);
        await one.query(statement);
        await one.close();
        await admin("DROP TABLE changing");
      });

      it("whose parameters cannot be sent fails, has no effect, and leaves the connection in order", async () => {
        const circular: Record<string, unknown> = {};
        circular["self"] = circular;
        for (const bad of [
          circular,
          {
            toPostgres: () => {
              throw new Error("planted");
            },
          },
        ]) {
          const error = await errorOf(db.query("INSERT INTO conformance VALUES (1, $1)", [bad]));
          expect(failureOf(error)).toMatchObject({ effect: "none", retry: "never", blames: "caller" });
          const inside = db.transaction(async (tx) => {
            await tx.query("INSERT INTO conformance VALUES (2)");
            await tx.query("INSERT INTO conformance VALUES (3, $1)", [bad]);
          });
          expect(failureOf(await errorOf(inside))).toMatchObject({ effect: "none", retry: "never" });
        }
        expect((await db.query("SELECT count(*)::int AS n FROM conformance")).rows).toEqual([{ n: 0 }]);
      });

      it("that fails keeps its connection: 200 unique violations, one backend", async () => {
        const one = database(make(1));
        await one.query("INSERT INTO conformance VALUES (1)");
        const before = await pidOf(one);
        for (let at = 0; at < 200; at += 1) {
          const error = await errorOf(one.query("INSERT INTO conformance VALUES (1)"));
          if (at === 0) expect(error).toMatchObject({ code: "23505" });
        }
        expect(await pidOf(one)).toBe(before);
        await one.close();
      });
    });

    describe("a transaction", () => {
      it("keeps everything or nothing", async () => {
        await db.transaction((tx) => tx.query("INSERT INTO conformance VALUES (1)"));
        const mine = new Error("mine");
        const failed = db.transaction(async (tx) => {
          await tx.query("INSERT INTO conformance VALUES (2)");
          throw mine;
        });
        expect(await errorOf(failed)).toBe(mine);
        expect((await db.query("SELECT id FROM conformance")).rows).toEqual([{ id: 1 }]);
      });

      it("passes on a driver's error as it is", async () => {
        let seen: unknown;
        const failed = db.transaction(async (tx) => {
          try {
            await tx.query("no statement");
          } catch (error) {
            seen = error;
            throw error;
          }
        });
        const error = await errorOf(failed);
        expect(error).toBe(seen);
        expect(error).toMatchObject({ code: "42601" });
      });

      it("that had a statement fail is not taken for committed", async () => {
        const failed = db.transaction(async (tx) => {
          await tx.query("INSERT INTO conformance VALUES (1)");
          await tx.query("no statement").catch(() => undefined);
        });
        expect(await errorOf(failed)).toMatchObject({ code: "ERR_BREAKWATER_ROLLED_BACK" });
        const held = await db.connect();
        await held.query("BEGIN");
        await held.query("no statement").catch(() => undefined);
        expect(await errorOf(held.query("COMMIT"))).toMatchObject({ code: "ERR_BREAKWATER_ROLLED_BACK" });
        held.release();
      });

      it("undoes inner ones that fail, and nothing else", async () => {
        await db.transaction(async (tx) => {
          await tx.query("INSERT INTO conformance VALUES (1)");
          await tx
            .transaction(async (part) => {
              await part.query("INSERT INTO conformance VALUES (2)");
              await part.query("INSERT INTO conformance VALUES (1)");
            })
            .catch(() => undefined);
          await tx.transaction((part) => part.query("INSERT INTO conformance VALUES (3)"));
        });
        expect((await db.query("SELECT id FROM conformance ORDER BY id")).rows).toEqual([{ id: 1 }, { id: 3 }]);
      });

      it("that is left open never reaches who comes next", async () => {
        const one = database(make(1));
        const leave: (() => Promise<unknown>)[] = [
          () => one.query("BEGIN"),
          () => one.query("BEGIN; no statement").catch(() => undefined),
          () => one.query("BEGIN; INSERT INTO conformance VALUES (99)"),
          async () => {
            const held = await one.connect();
            await held.query("BEGIN");
            await held.query("INSERT INTO conformance VALUES (99)");
            held.release();
          },
          async () => {
            const held = await one.connect();
            await held.query("BEGIN");
            await held.query("no statement").catch(() => undefined);
            held.release();
          },
          async () => {
            const held = await one.connect();
            await held.query("BEGIN");
            held.destroy();
          },
        ];
        for (const [at, left] of leave.entries()) {
          await left();
          await one.query("INSERT INTO conformance VALUES ($1)", [at]);
          expect((await admin("SELECT count(*)::int AS n FROM conformance WHERE id = $1", [at]))[0]).toEqual({ n: 1 });
        }
        expect(await admin("SELECT 1 FROM conformance WHERE id = 99")).toEqual([]);
        await one.close();
      });

      it("with a deadline is limited at the server too, unless a stricter limit stands", async () => {
        const shown = (on: Pick<Database, "query">): Promise<string> =>
          on
            .query<{ t: string }>("SELECT setting AS t FROM pg_settings WHERE name = 'statement_timeout'")
            .then(({ rows }) => rows[0]?.t ?? "");
        const limited = Number(await db.transaction((tx) => shown(tx as never), { timeoutMs: 5_000 }));
        expect(limited).toBeGreaterThan(4_000);
        expect(limited).toBeLessThan(6_000);
        expect(await db.transaction((tx) => shown(tx as never))).toBe("0");
        expect(await shown(db)).toBe("0");
        await admin("ALTER ROLE postgres SET statement_timeout = 700");
        const stricter = database(make(1));
        expect(await stricter.transaction((tx) => shown(tx as never), { timeoutMs: 5_000 })).toBe("700");
        await stricter.close();
        await admin("ALTER ROLE postgres RESET statement_timeout");
      });
    });

    describe("a deadline or an abort", () => {
      it("ends a statement, here and at the server, and its connection is not used again", async () => {
        const one = database(make(1));
        const before = await pidOf(one);
        const late = one.query("SELECT pg_sleep(60) /* late */", { timeoutMs: 300, access: "read" });
        expect(await errorOf(late)).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
        await running("late", false);
        const abort = new AbortController();
        const aborted = one.query("SELECT pg_sleep(60) /* left */", { signal: abort.signal, access: "read" });
        const reason = new Error("left");
        await running("left");
        abort.abort(reason);
        expect(await errorOf(aborted)).toBe(reason);
        await running("left", false);
        expect(await pidOf(one)).not.toBe(before);
        await one.close();
      });

      it("of a write that has been sent leaves its outcome unknown", async () => {
        const text = "INSERT INTO conformance SELECT 1 FROM pg_sleep(60) /* write */";
        const error = await errorOf(db.query(text, { timeoutMs: 300 }));
        expect(error).toMatchObject({ code: "ERR_BREAKWATER_OUTCOME_UNKNOWN" });
        expect(error.cause).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
        await running("write", false);
      });

      it("is not needed for a wait to end: there is a limit when all connections are taken", async () => {
        const one = database(make(1));
        const held = await one.connect();
        const error = await errorOf(one.query("SELECT 1"));
        expect(error).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT", phase: "acquire" });
        expect(failureOf(error).effect).toBe("none");
        const inside = one.transaction(async () => one.query("SELECT 1"));
        expect(await errorOf(inside)).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
        held.release();
        await one.query("SELECT 1");
        await one.close();
      });
    });

    describe("a lost connection", () => {
      const terminate = (mark = ""): Promise<unknown> =>
        admin(
          "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1 AND ($2 = '' OR query LIKE '%/* ' || $2 || ' */%')",
          [APPLICATION, mark],
        );

      it("while idle is an event, and the next call has another", async () => {
        const told: unknown[] = [];
        pool.events.on("connection:lost", (event) => told.push(event));
        const held = [await db.connect(), await db.connect()];
        for (const connection of held) await connection.query("SELECT 1");
        for (const connection of held) connection.release();
        await terminate();
        await until("both losses to be told", () => told.length >= 2);
        for (let at = 0; at < 4; at += 1) expect((await db.query("SELECT 1")).rowCount).toBe(1);
      });

      it("under a read, a write, a transaction and a session says what may have been kept", async () => {
        const four = database(make(4));
        const sleep = (mark: string): string => `INSERT INTO conformance SELECT 1 FROM pg_sleep(60) /* ${mark} */`;
        const held = await four.connect();
        const calls = [
          errorOf(four.query("SELECT pg_sleep(60) /* read */")),
          errorOf(four.query(sleep("autocommit"))),
          errorOf(four.transaction((tx) => tx.query(sleep("transaction")))),
          errorOf(held.query(sleep("session"))),
        ];
        for (const mark of ["read", "autocommit", "transaction", "session"]) await running(mark);
        await terminate();
        const failures = (await Promise.all(calls)).map((error) => failureOf(error));
        expect(failures.map(({ effect }) => effect)).toEqual(["none", "unknown", "none", "unknown"]);
        expect(failures.map(({ connection }) => connection)).toEqual(Array.from({ length: 4 }, () => "destroy"));
        expect(failures[3]?.retry).toBe("never");
        expect(four.stats().total).toBeLessThanOrEqual(1);
        held.release();
        await four.close();
      });

      it("is gone from the pool before its call's promise settles", async () => {
        const one = database(make(1));
        await pidOf(one);
        const ended = errorOf(one.query("SELECT pg_sleep(60) /* fatal */", { access: "read" })).then(
          () => one.stats().total,
        );
        await running("fatal");
        await terminate("fatal");
        expect(await ended).toBe(0);
        await one.close();
      });
    });

    describe("an interrupt", () => {
      it("ends what runs, and lets no connection of before be used again", async () => {
        const before = new Set([await pidOf()]);
        const held = await db.connect();
        before.add(await pidOf(held));
        const reading = errorOf(db.query("SELECT pg_sleep(1) /* interrupted */", { access: "read" }));
        await running("interrupted");
        const gone = new Error("the node is gone");
        pool.interrupt(gone);
        pool.interrupt(gone);
        expect(await reading).toMatchObject({ code: "ERR_BREAKWATER_NODE_LOST", cause: gone });
        expect(await errorOf(held.query("SELECT 1"))).toMatchObject({ code: "ERR_BREAKWATER_NODE_LOST" });
        held.release();
        for (let at = 0; at < 4; at += 1) expect(before.has(await pidOf())).toBe(false);
      });
    });

    describe.runIf(lifecycle)("how its connections live, where that is the adapter's to say,", () => {
      const living = async (options: LifecycleOptions, live: (own: Database) => Promise<void>): Promise<void> => {
        const own = database(make(3, options));
        try {
          await live(own);
        } finally {
          await own.close();
        }
      };

      it("is that min are opened by ready(), and there again when they are lost", () =>
        living({ min: 2 }, async (own) => {
          await own.ready();
          expect(own.stats()).toMatchObject({ total: 2, idle: 2 });
          const before = await pidOf(own);
          await admin("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1", [
            APPLICATION,
          ]);
          await until("two to be there again", async () => own.stats().idle === 2 && (await connections()) === 2);
          expect(await pidOf(own)).not.toBe(before);
        }));

      it("is that they end when idle for too long, too old or used up", async () => {
        await living({ idleTimeoutMs: 30 }, async (own) => {
          await own.query("SELECT 1");
          await until("it to be gone", () => own.stats().total === 0);
        });
        await living({ maxLifetimeMs: 50, idleTimeoutMs: 0 }, async (own) => {
          await own.query("SELECT 1");
          await until("it to be gone", () => own.stats().total === 0);
        });
        await living({ maxUses: 1 }, async (own) => {
          expect(await pidOf(own)).not.toBe(await pidOf(own));
        });
      });

      it("is that they are prepared before their first call, and reset before the next borrower", () =>
        living(
          {
            onConnect: (connection) => connection.query("SET conformance.mark = 'own'"),
            resetOnRelease: "discard-all",
          },
          async (own) => {
            const mark = async (): Promise<unknown> =>
              (await own.query("SELECT current_setting('conformance.mark') AS mark")).rows[0]?.["mark"];
            expect(await mark()).toBe("own");
            const held = await own.connect();
            await held.query("SET conformance.mark = 'left'");
            held.release();
            expect(await mark()).toBe("own");
          },
        ));

      it("is that their number can be changed while calls run and wait", () =>
        living({}, async (own) => {
          own.resize({ max: 1 });
          const held = await own.connect();
          const waiting = own.connect();
          expect(own.stats()).toMatchObject({ waiting: 1, max: 1 });
          own.resize({ max: 2 });
          (await waiting).release();
          held.release();
          expect(() => own.resize({ max: 0 })).toThrow("max");
        }));
    });

    describe("the pool", () => {
      it("opens no more connections than it may, and answers each call with its own answer", async () => {
        let most = 0;
        const answers = await Promise.all(
          Array.from({ length: 300 }, async (_, at) => {
            const { rows } = await db
              .query<{ n: number }>("SELECT $1::int AS n", [at], { timeoutMs: 20_000 })
              .catch(() => ({ rows: [] }));
            most = Math.max(most, db.stats().total, db.stats().active);
            return rows[0]?.n ?? at;
          }),
        );
        expect(answers).toEqual(Array.from({ length: 300 }, (_, at) => at));
        expect(most).toBeLessThanOrEqual(2);
        expect(await connections()).toBeLessThanOrEqual(2);
        expect(db.stats()).toMatchObject({ active: 0, waiting: 0, max: 2 });
        expect(Object.isFrozen(db.stats())).toBe(true);
      });

      it("keeps one connection more for probes, which get through when the others are taken", async () => {
        const held = [await db.connect(), await db.connect()];
        const probe: Operation<unknown> = {
          ...queryOperation({ text: "SELECT 1" }, operationContext("read")),
          purpose: "probe",
          deadline: performance.now() + 5_000,
        };
        await Promise.all([pool.execute(probe), pool.execute(probe), pool.execute(probe)]);
        expect(db.stats().active).toBe(2);
        await until("the others to be gone", async () => (await connections()) <= 3);
        for (const connection of held) connection.release();
      });

      it("cuts off what runs when it is closed, in bounded time, and refuses everything afterwards", async () => {
        const long = errorOf(db.query("SELECT pg_sleep(60) /* long */", { access: "read" }));
        await running("long");
        const began = performance.now();
        await Promise.all([db.close({ drainMs: 100 }), db.close(), pool.close()]);
        expect(performance.now() - began).toBeLessThan(4_000);
        expect(await long).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
        expect(await errorOf(db.query("SELECT 1"))).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
        expect(await errorOf(db.connect())).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
        await running("long", false);
      });
    });
  });
}
