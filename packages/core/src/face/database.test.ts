import { describe, expect, it } from "vitest";
import type { Dialect } from "../contract/dialect.ts";
import { UsageError } from "../contract/errors.ts";
import { type Operation, type OperationContext, operationContext } from "../contract/operation.ts";
import type { NodeStats } from "../contract/pool.ts";
import { driverPool } from "../call/adapter.ts";
import { type Database, database } from "./database.ts";
import { Listening } from "./listening.ts";
import type { HeldConnection } from "../call/held-connection.ts";
import { fakeDialect, fakePool, fakeDriver, type FakeDriver, type FakeReply, ManualClock } from "../testing/index.ts";

function bench(reply?: FakeReply): { db: Database; driver: FakeDriver; clock: ManualClock } {
  const clock = new ManualClock();
  const driver = fakeDriver(reply);
  return { db: database(driverPool(driver, fakeDialect, { name: "unit", clock }), { clock }), driver, clock };
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "fulfilled",
    (error: { code?: unknown }) => error.code,
  );

const sent = ({ connections }: FakeDriver): readonly string[] => connections.flatMap((connection) => connection.sent);

describe("query", () => {
  it.each([undefined, null, 42, {}, [], () => "SELECT 1", Symbol("x"), { text: 1 }, { text: undefined }, new Date()])(
    "refuses %s as a statement, and sends nothing",
    async (wrong) => {
      const { db, driver } = bench();
      expect(await codeOf(db.query(wrong as never))).toBe("ERR_BREAKWATER_USAGE");
      await db.transaction(async (tx) => {
        expect(await codeOf(tx.query(wrong as never))).toBe("ERR_BREAKWATER_USAGE");
      });
      const held = await db.connect();
      expect(await codeOf(held.query(wrong as never))).toBe("ERR_BREAKWATER_USAGE");
      held.release();
      expect(sent(driver)).toEqual(["BEGIN", "COMMIT"]);
    },
  );

  it("refuses values that are no array, without showing them", async () => {
    const { db, driver } = bench();
    for (const wrong of ["geheim", 5, null, true]) {
      for (const call of [
        db.query("SELECT $1", wrong as never),
        db.query("SELECT $1", wrong as never, {}),
        db.query({ text: "SELECT $1", values: wrong as never }),
        db.query({ text: "SELECT $1" }, wrong as never),
      ]) {
        await expect(call).rejects.toMatchObject({
          code: "ERR_BREAKWATER_USAGE",
          message: expect.not.stringContaining("geheim") as string,
        });
      }
    }
    await expect(db.query("SELECT $1", { email: "geheim" } as never)).rejects.toMatchObject({
      code: "ERR_BREAKWATER_OPTION",
      message: expect.not.stringContaining("geheim") as string,
    });
    expect(sent(driver)).toEqual([]);
  });

  it("refuses options that are none, or out of range", async () => {
    const { db, driver } = bench();
    const wrong = [
      null,
      5,
      [],
      { timeoutMs: Number.NaN },
      { timeoutMs: -1 },
      { timeoutMs: 0 },
      { timeoutMs: Number.POSITIVE_INFINITY },
      { access: "both" },
      { priority: 1 },
      { consistency: "stale" },
      { idempotent: "yes" },
      { label: "" },
      { retries: 3 },
    ];
    for (const options of wrong) {
      expect(await codeOf(db.query("SELECT 1", [], options as never))).toBe("ERR_BREAKWATER_OPTION");
      expect(await codeOf(db.transaction(async () => 1, options as never))).toBe("ERR_BREAKWATER_OPTION");
      if (options !== undefined) expect(await codeOf(db.connect(options as never))).toBe("ERR_BREAKWATER_OPTION");
    }
    await expect(db.query("SELECT 1", { signal: {} as never })).rejects.toBeInstanceOf(TypeError);
    expect(await codeOf(db.query("SELECT 1", { exactlyOnce: true }))).toBe("ERR_BREAKWATER_USAGE");
    expect(sent(driver)).toEqual([]);
  });

  it("takes a statement that is frozen, and leaves one that is not as it was", async () => {
    const { db } = bench();
    const statement = { text: "SELECT 1", values: [1] };
    await db.query(statement);
    expect(statement).toEqual({ text: "SELECT 1", values: [1] });
    await db.query(Object.freeze({ text: "SELECT 1" }));
  });
});

describe("a borrowed connection", () => {
  it("is given back once; a second time, and use afterwards, is an error and nothing else", async () => {
    const { db, driver } = bench();
    const held = await db.connect();
    await held.query("SELECT 1");
    held.release();
    expect(() => held.release()).toThrow(/released twice/);
    expect(() => held.destroy()).toThrow(/released twice/);
    expect(await codeOf(held.query("SELECT 2"))).toBe("ERR_BREAKWATER_USAGE");
    await db.query("SELECT 3");
    expect(sent(driver)).toEqual(["SELECT 1", "SELECT 3"]);
    expect(driver.connections.map(({ state }) => state)).toEqual(["idle"]);
  });

  it("that is destroyed is not used again", async () => {
    const { db, driver } = bench();
    (await db.connect()).destroy();
    await db.query("SELECT 1");
    expect(driver.connections.map(({ state }) => state)).toEqual(["destroyed", "idle"]);
  });

  it("is given back at the end of its block", async () => {
    const { db, clock } = bench();
    let kept: HeldConnection | undefined;
    {
      using held = await db.connect();
      kept = held;
      expect(db.stats().active).toBe(1);
    }
    await clock.advance(0);
    expect(db.stats().active).toBe(0);
    kept[Symbol.dispose]();
  });

  it("tells of a COMMIT that kept nothing", async () => {
    const { db, clock } = bench(({ text }) => {
      if (text === "BAD") throw new Error("planted");
    });
    const held = await db.connect();
    await held.query("BEGIN");
    expect(await codeOf(held.query("BAD"))).toBe(undefined);
    await expect(held.query("COMMIT")).rejects.toMatchObject({ code: "ERR_BREAKWATER_ROLLED_BACK" });
    await held.query("SELECT 1");
    held.release();
    await clock.advance(0);
    expect(db.stats().idle).toBe(1);
  });

  it("notes its writes for later reads when they are acknowledged, not when it is given back", async () => {
    const { db } = bench();
    const held = await db.connect();
    const before = db.token;
    await held.query("SELECT 1");
    expect(db.token).toBe(before);
    await held.query("INSERT");
    expect(db.token).not.toBe(before);
    held.release();
  });
});

describe("close", () => {
  it("ends the stack once, refuses what comes afterwards, and refuses a limit that is none", async () => {
    const { db, driver } = bench();
    for (const drainMs of [Number.NaN, -1, "x"]) {
      expect(await codeOf(db.close({ drainMs: drainMs as never }))).toBe("ERR_BREAKWATER_OPTION");
    }
    await db.query("SELECT 1");
    await Promise.all([db.close(), db.close(), db[Symbol.asyncDispose]()]);
    expect(driver.closed).toBe(true);
    expect(await codeOf(db.query("SELECT 1"))).toBe("ERR_BREAKWATER_POOL_CLOSED");
    expect(await codeOf(db.transaction(async () => 1))).toBe("ERR_BREAKWATER_POOL_CLOSED");
    expect(await codeOf(db.connect())).toBe("ERR_BREAKWATER_POOL_CLOSED");
    expect((await db.health()).status).toBe("down");
  });

  it("of a session ends nothing", async () => {
    const { db } = bench();
    await db.session().close();
    expect(await codeOf(db.query("SELECT 1"))).toBe("fulfilled");
  });

  it("lets listeners that throw, or that call the stack, do no harm", async () => {
    const { db, clock } = bench(() => new Promise(() => undefined));
    const running = codeOf(db.query("INSERT"));
    const late: Promise<unknown>[] = [];
    db.on("call:outcome-unknown", () => {
      late.push(codeOf(db.query("SELECT 1")), codeOf(db.close()));
    });
    await clock.advance(1);
    const closed = db.close({ drainMs: 10 });
    await clock.advance(10);
    await closed;
    expect(await running).toBe("ERR_BREAKWATER_OUTCOME_UNKNOWN");
    expect(await Promise.all(late)).toEqual(["ERR_BREAKWATER_POOL_CLOSED", "fulfilled"]);
  });
});

describe("with", () => {
  const usual = { label: "report", tenant: "acme", timeoutMs: 50 } as const;

  /** What reached the stack. */
  function watched() {
    const pool = fakePool();
    return { pool, db: database(pool, { clock: new ManualClock(100) }), seen: () => pool.calls.map(shown) };
  }
  const shown = ({ kind, label, tenant, deadline, access }: Operation<unknown>): unknown[] => [
    kind,
    access,
    label,
    tenant,
    deadline,
  ];

  it("gives its options to every kind of call, which may say their own", async () => {
    const { db, seen } = watched();
    const face = db.with(usual);
    await face.query("SELECT 1");
    await face.query("SELECT 1", { label: "own", timeoutMs: 7 });
    await face.rows("SELECT 1", [], { access: "write" });
    await face.transaction(async () => {}, { readOnly: true });
    await face.with({ tenant: "other" }).query("SELECT 1");
    await face.session().query("SELECT 1");
    await db.query("SELECT 1");
    expect(seen()).toEqual([
      ["query", "read", "report", "acme", 150],
      ["query", "read", "own", "acme", 107],
      ["query", "write", "report", "acme", 150],
      ["transaction", "read", "report", "acme", 150],
      ["query", "read", "report", "other", 150],
      ["query", "read", "report", "acme", 150],
      ["query", "read", undefined, undefined, Number.POSITIVE_INFINITY],
    ]);
  });

  it("belongs to the session in which it is used, and ends nothing", async () => {
    const { db, pool } = watched();
    const face = db.with({ label: "a" });
    await db.query("INSERT INTO a VALUES (1)");
    await face.query("SELECT 1");
    await db.runInSession(() => Promise.all([db.query("SELECT 2"), face.query("SELECT 2")]));
    const session = db.session();
    await session.query("SELECT 3");
    await session.with({ label: "b" }).query("SELECT 3");
    const of = (text: string): unknown[] =>
      pool.calls.filter((call) => call.kind === "query" && call.statement.text === text).map((call) => call.causality);
    expect(of("SELECT 1")).toEqual(of("INSERT INTO a VALUES (1)"));
    for (const text of ["SELECT 2", "SELECT 3"]) expect(of(text)[0]).toBe(of(text)[1]);
    expect(of("SELECT 2")[0]).not.toBe(of("SELECT 1")[0]);
    expect(of("SELECT 3")[0]).not.toBe(of("SELECT 2")[0]);
    await face.close();
    await db.query("SELECT 1");
  });

  it("gives a session that runs in another its own", async () => {
    const { db, pool } = watched();
    const [one, two] = [db.session(), db.session()];
    await one.runInSession(async () => {
      await one.query("SELECT 1");
      await two.query("SELECT 1");
      await db.query("SELECT 1");
    });
    const seen = pool.calls.map(({ causality }) => causality);
    expect(new Set(seen).size).toBe(3);
  });

  it("takes an option that is undefined for one that nobody has said", async () => {
    const { db, seen } = watched();
    const nothing = { label: undefined, tenant: undefined, timeoutMs: undefined } as never;
    await db.with(usual).query("SELECT 1", nothing);
    await db.with(usual).with(nothing).query("SELECT 1");
    await db.with(usual).query("SELECT 1", [], nothing);
    expect(seen()).toEqual(Array.from({ length: 3 }, () => ["query", "read", "report", "acme", 150]));
    for (const none of [7, null, "label"])
      expect(await codeOf(db.with(usual).query("SELECT 1", [], none as never))).toBe("ERR_BREAKWATER_OPTION");
  });

  it("keeps nothing of those who have listened", async () => {
    const pool = fakePool(() => Promise.reject(new UsageError("fake", "no room")));
    const texts = { listen: (channel: string) => `LISTEN ${channel}` } as Dialect["notifications"];
    Object.assign(pool, { dialect: { ...pool.dialect, notifications: texts } });
    const open = new Set<Listening>();
    const context = (): OperationContext => operationContext("write");
    const listening = new Listening({ pool, clock: new ManualClock(), random: () => 0.5, context, open });
    const heard = listening.listen("a", () => {}, {});
    expect([...open]).toEqual([listening]);
    await expect(heard).rejects.toThrow("no room");
    expect(open.size).toBe(0);
  });

  it.each([{ unknown: 1 }, { label: "" }, { tenant: 7 }, { timeoutMs: 0 }, { idempotencyKey: "order 7" }, 7])(
    "refuses %o",
    (wrong) => {
      expect(() => watched().db.with(wrong as never)).toThrow(/call/);
    },
  );
});

describe("health", () => {
  it("tells how it is, and refuses a limit that is none", async () => {
    const { db } = bench();
    expect(await db.health()).toMatchObject({
      status: "ok",
      readable: true,
      writable: true,
      latencyMs: 0,
      error: undefined,
    });
    for (const timeoutMs of [Number.NaN, 0, -1, Number.POSITIVE_INFINITY]) {
      expect(await codeOf(db.health({ timeoutMs }))).toBe("ERR_BREAKWATER_OPTION");
    }
  });

  it("tells reads, which go on without a primary, from writes", async () => {
    const pool = fakePool();
    const stats = pool.stats();
    const node = (role: "primary" | "replica", state: "up" | "down") => ({ name: role, role, state, pool: stats });
    const standing = async (...nodes: readonly NodeStats[]): Promise<unknown> => {
      Object.assign(pool, { stats: () => ({ ...stats, nodes }) });
      const { status, readable, writable, error } = await database(pool).health();
      return { status, readable, writable, error };
    };
    const well = { error: undefined, readable: true };
    expect(await standing(node("primary", "up"), node("replica", "up"))).toEqual({
      ...well,
      status: "ok",
      writable: true,
    });
    expect(await standing(node("primary", "up"), node("replica", "down"))).toEqual({
      ...well,
      status: "degraded",
      writable: true,
    });
    expect(await standing(node("primary", "down"), node("replica", "up"))).toEqual({
      ...well,
      status: "down",
      writable: false,
    });
    await pool.close();
    expect(await standing()).toMatchObject({ status: "down", readable: false, writable: false });
  });
});

describe("database", () => {
  it("is made of a pool and of nothing else", () => {
    for (const wrong of [undefined, null, {}, "postgres://u:geheim@h/d", 5]) {
      expect(() => database(wrong as never)).toThrow(/must be given a pool/);
    }
  });

  it("refuses tokens that are none", () => {
    const { db } = bench();
    for (const token of ["", "2.1.1", "1.x", "1..", 5, null, {}, "1".repeat(1e5)]) {
      expect(() => db.include(token as never)).toThrow(RangeError);
      expect(() => db.session({ token: token as never })).toThrow(RangeError);
    }
    db.include(db.token);
  });
});
