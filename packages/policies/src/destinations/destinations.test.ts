import {
  Causality,
  database,
  failureOf,
  type Operation,
  type Policy,
  policy,
  type Pool,
  seededRandom,
} from "@breakwater/core";
import { emptyResult, type FakePool, fakePool, ManualClock } from "@breakwater/core/testing";
import { describe, expect, it } from "vitest";
import { destinations } from "./destinations.ts";
import type { DestinationsOptions } from "./options.ts";

const clock = new ManualClock();

function setUp(options: Partial<DestinationsOptions> = {}) {
  const main = fakePool(undefined, "main");
  const archive = fakePool(undefined, "archive");
  const reports = fakePool(undefined, "reports");
  const pool = destinations({ to: { main, archive, reports }, default: "main", clock, ...options });
  return { pool, db: database(pool), main, archive, reports, asked: () => [main, archive, reports].map(asked) };
}

/** A layer of that name, which does nothing. */
const layer = (name: string): Policy => policy(name, (operation, next) => next(operation));

function asked({ calls }: FakePool): string[] {
  return calls.map((call) => (call.kind === "transaction" ? "transaction" : (call.statement?.text ?? call.kind)));
}

describe("destinations", () => {
  it("sends each call to the first rule's place that fits, the others to the default", async () => {
    const { db, asked: all } = setUp({
      rules: [
        { match: "select * from events*", to: "archive" },
        { label: "monthly", to: "reports" },
        { match: /\bhistory\b/gi, tenant: "auditor", to: "archive" },
        { match: ({ kind }) => kind === "session", to: "reports" },
        { tenant: "auditor", to: "reports" },
      ],
    });
    await db.query("SELECT * FROM events WHERE id = 1");
    await db.query("SELECT 1");
    await db.query("SELECT 2", { label: "monthly" });
    await db.query("SELECT * FROM history", { tenant: "auditor" });
    await db.query("SELECT * FROM history", { tenant: "auditor" });
    await db.query("SELECT * FROM history");
    await db.transaction(async () => {}, { tenant: "auditor" });
    await db.query("SELECT 3", { destination: "archive", label: "monthly" });
    expect(all()).toEqual([
      ["SELECT 1", "SELECT * FROM history"],
      ["SELECT * FROM events WHERE id = 1", "SELECT * FROM history", "SELECT * FROM history", "SELECT 3"],
      ["SELECT 2", "transaction"],
    ]);
  });

  it("asks a rule's function, and the next rule when it does not know", async () => {
    const shards = ["archive", "reports"] as const;
    const { db, asked: all } = setUp({
      rules: [
        { to: ({ tenant }) => (tenant === undefined ? undefined : shards[tenant.length % 2]) },
        { label: "late", to: "reports" },
      ],
    });
    await db.with({ tenant: "ab" }).query("SELECT 1");
    await db.with({ tenant: "abc" }).query("SELECT 2");
    await db.query("SELECT 3", { label: "late" });
    expect(all()).toEqual([[], ["SELECT 1"], ["SELECT 2", "SELECT 3"]]);
  });

  it("refuses a call that has nowhere to go, and sends nothing", async () => {
    const { db, asked: all } = setUp({ default: false, rules: [{ label: "a", to: () => "nowhere" }] });
    for (const [options, message] of [
      [{}, "no rule says where the call goes"],
      [{ label: "a" }, 'no destination "nowhere"'],
      [{ destination: "elsewhere" }, 'no destination "elsewhere"'],
    ] as const)
      await expect(db.query("SELECT 1", options)).rejects.toMatchObject({
        code: "ERR_BREAKWATER_USAGE",
        message: expect.stringContaining(message),
      });
    expect(all()).toEqual([[], [], []]);
    await expect(database(fakePool()).query("SELECT 1", { destination: "main" })).rejects.toThrow(/needs destinations/);
  });

  it("keeps count of each database's history, and carries all of them in one token", async () => {
    const seen = new Map<string, Causality | undefined>();
    const place = (name: string, position: bigint): Pool =>
      fakePool((operation: Operation<unknown>) => {
        seen.set(name, operation.causality);
        if (operation.access === "write") operation.causality?.wrote({ timeline: 1, position });
        return emptyResult;
      }, name);
    const pool = destinations({ to: { main: place("main", 70n), far: place("far", 5n) }, default: "main", clock });
    const session = database(pool).session();
    await session.query("INSERT INTO a VALUES (1)");
    await session.query("INSERT INTO a VALUES (1)", { destination: "far" });
    expect(seen.get("main")?.point?.position).toBe(70n);
    expect(seen.get("far")?.point?.position).toBe(5n);
    const other = database(pool).session({ token: session.token });
    await other.query("SELECT 1", { destination: "far" });
    expect(seen.get("far")?.point?.position).toBe(5n);
    expect(seen.get("far")?.monotonic).toBe(true);
    await other.query("SELECT 1");
    expect(seen.get("main")?.point?.position).toBe(70n);
    expect(other.token).toBe(session.token);
  });

  it("has tokens that survive any name, and refuses what is none, taking nothing of it", () => {
    const random = seededRandom(7);
    const name = (): string =>
      String.fromCharCode(
        ...Array.from({ length: 1 + Math.floor(random() * 5) }, () => 1 + Math.floor(random() * 999)),
      );
    const causality = new Causality(true);
    const names = Array.from({ length: 50 }, name);
    for (const [at, one] of names.entries()) causality.of(one).include({ timeline: 1, position: BigInt(at + 1) });
    causality.of(names[0] ?? "").wrote();
    expect(causality.token).toMatch(/^[\x21-\x7e]+$/);
    expect(causality.token).not.toMatch(/[",;\\]/);
    const again = new Causality(true, causality.token);
    expect(again.token).toBe(causality.token);
    const fresh = new Causality(true);
    for (const token of ["1.1.1&", "1.1.1&a", "1.1.1&a=2", "1.1.1&%E0%A4%A=1.1.1", "1&a=1.1.1=1&b"])
      expect(() => fresh.merge(token), token).toThrow(RangeError);
    expect(fresh.token).toBe("1");
  });

  it("makes one stack for each tenant from one definition, at its first call", async () => {
    const made: string[] = [];
    const opened: string[] = [];
    const { pool, db, main } = setUp({
      rules: [{ to: ({ tenant }) => tenant }],
      open: (name) => {
        made.push(name);
        return database(fakePool(undefined, name));
      },
    });
    pool.events.on("destination:opened", ({ destination }) => opened.push(destination));
    await Promise.all(["a", "b", "a"].map((tenant) => db.with({ tenant }).query("SELECT 1")));
    await db.query("SELECT 2");
    expect([made, opened]).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
    expect(asked(main)).toEqual(["SELECT 2"]);
    expect(pool.stats().policies[0]).toMatchObject({ open: 2, destinations: { a: { calls: 2, running: 0 } } });
  });

  it("closes a tenant's stack that nobody uses, and none on which a call runs", async () => {
    const time = new ManualClock();
    const pools = new Map<string, FakePool>();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const { pool, db } = setUp({
      clock: time,
      idleMs: 1_000,
      open: (name) => {
        const made = fakePool(() => (name === "busy" ? promise : emptyResult), name);
        pools.set(name, made);
        return made;
      },
    });
    const closed: string[] = [];
    pool.events.on("destination:closed", ({ destination }) => closed.push(destination));
    const long = db.query("SELECT 1", { destination: "busy" });
    await db.query("SELECT 1", { destination: "idle" });
    await time.advance(600);
    await db.query("SELECT 1", { destination: "idle" });
    await time.advance(999);
    expect(closed).toEqual([]);
    await time.advance(1);
    expect([closed, pools.get("busy")?.closed]).toEqual([["idle"], false]);
    resolve(emptyResult);
    await long;
    await time.advance(1_000);
    expect(closed).toEqual(["idle", "busy"]);
    // Who comes back gets a new one.
    await db.query("SELECT 1", { destination: "idle" });
    expect(pools.get("idle")?.closed).toBe(false);
    await pool.close();
    expect([pools.get("idle")?.closed, time.pending]).toEqual([true, 0]);
  });

  it("makes room by closing the one used longest ago, and refuses where all are in use", async () => {
    const time = new ManualClock();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const { pool, db } = setUp({
      clock: time,
      maxOpen: 2,
      open: (name) => fakePool(() => (name.startsWith("busy") ? promise : emptyResult), name),
    });
    const names = (): string[] =>
      Object.keys(pool.stats().policies[0]?.["destinations"] as object).filter((name) => name.length < 6);
    for (const destination of ["a", "b"]) {
      await db.query("SELECT 1", { destination });
      await time.advance(10);
    }
    await db.query("SELECT 1", { destination: "a" });
    await db.query("SELECT 1", { destination: "c" });
    expect(names()).toEqual(["main", "a", "c"]);
    const long = ["busy1", "busy2"].map((destination) => db.query("SELECT 1", { destination }));
    const error = await db.query("SELECT 1", { destination: "d" }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_TOO_MANY_DESTINATIONS", pool: "destinations" });
    expect(failureOf(error)).toMatchObject({ effect: "none", phase: "acquire", blames: "load" });
    db.controls.get("destinations").configure({ maxOpen: 3 });
    await db.query("SELECT 1", { destination: "d" });
    resolve(emptyResult);
    await Promise.all(long);
    await pool.close();
  });

  it("rejects with what open throws, and asks it again next time", async () => {
    let broken = true;
    const { db } = setUp({
      open: (name) => {
        if (broken) throw new Error(`no address for ${name}`);
        return fakePool(undefined, name);
      },
    });
    await expect(db.query("SELECT 1", { destination: "a" })).rejects.toThrow("no address for a");
    broken = false;
    await db.query("SELECT 1", { destination: "a" });
  });

  it("refuses a stack that cannot do what the others can, or that serves another destination", async () => {
    const resolving = layer("commit-resolution")(fakePool(undefined, "main"));
    const wrong: Record<string, () => unknown> = {
      bare: () => fakePool(),
      nothing: () => undefined,
      same: () => resolving,
    };
    const pool = destinations({
      to: { main: resolving },
      default: "main",
      clock,
      open: (name) => wrong[name]?.() as Pool,
    });
    const db = database(pool);
    await expect(db.query("SELECT 1", { destination: "bare" })).rejects.toThrow(/has no commit-resolution/);
    await expect(db.query("SELECT 1", { destination: "nothing" })).rejects.toThrow(/made no pool/);
    await expect(db.query("SELECT 1", { destination: "same" })).rejects.toThrow(/pool of another destination/);
    expect(pool.stats().policies[0]).toMatchObject({ open: 0 });
  });

  it("promises commit resolution only where every destination has it", async () => {
    const [a, b] = ["a", "b"].map((name) => fakePool(undefined, name)) as [FakePool, FakePool];
    const mixed = database(destinations({ to: { a: layer("commit-resolution")(a), b }, default: "a", clock }));
    await expect(mixed.query("INSERT", { exactlyOnce: true })).rejects.toThrow(/need commitResolution/);
  });

  it("closes what open has made while the whole was closed", async () => {
    const late = fakePool(undefined, "late");
    const { db, main } = setUp({
      open: () => {
        void db.close();
        return late;
      },
    });
    await expect(db.query("SELECT 1", { destination: "late" })).rejects.toMatchObject({
      code: "ERR_BREAKWATER_POOL_CLOSED",
    });
    await db.close();
    expect([late.closed, main.closed, late.calls.length]).toEqual([true, true, 0]);
  });

  it("sends nobody away for a name that open refuses", async () => {
    const good = fakePool(undefined, "good");
    const { db } = setUp({
      maxOpen: 1,
      open: (name) => {
        if (name !== "good") throw new Error("no such tenant");
        return good;
      },
    });
    await db.query("SELECT 1", { destination: "good" });
    for (const destination of ["x", "y"])
      await expect(db.query("SELECT 1", { destination })).rejects.toThrow("no such tenant");
    expect(good.closed).toBe(false);
  });

  it("closes none that was made for a call before that call begins", async () => {
    const { pool, db } = setUp({ maxOpen: 1, open: (name) => fakePool(undefined, name) });
    const others: Promise<unknown>[] = [];
    const stop = pool.events.on("destination:opened", () => {
      stop();
      others.push(db.query("SELECT 1", { destination: "other" }).catch((error: unknown) => error));
    });
    await db.query("SELECT 1", { destination: "first" });
    expect(await Promise.all(others)).toMatchObject([{ code: "ERR_BREAKWATER_TOO_MANY_DESTINATIONS" }]);
  });

  it("keeps to maxOpen and to one of each name, whatever open asks for", async () => {
    const made: FakePool[] = [];
    const others: Promise<unknown>[] = [];
    const { pool, db } = setUp({
      maxOpen: 1,
      open: (name) => {
        for (const destination of ["outer", "inner"])
          if (name === "outer")
            others.push(db.query("SELECT 1", { destination }).catch(({ message }: Error) => message));
        const one = fakePool(undefined, name);
        made.push(one);
        return one;
      },
    });
    await expect(db.query("SELECT 1", { destination: "outer" })).rejects.toMatchObject({
      code: "ERR_BREAKWATER_TOO_MANY_DESTINATIONS",
    });
    expect((await Promise.all(others))[0]).toMatch(/open asks for the destination "outer" itself/);
    expect(made.map(({ name, closed }) => [name, closed])).toEqual([
      ["inner", false],
      ["outer", true],
    ]);
    expect(pool.stats().policies[0]).toMatchObject({ open: 1 });
  });

  it("counts a call as over that a pool throws at", async () => {
    const thrower: Pool = {
      ...fakePool(undefined, "thrower"),
      execute: () => {
        throw new Error("at once");
      },
    };
    const { db, pool } = setUp({ to: { thrower, main: fakePool() } });
    await expect(db.query("SELECT 1", { destination: "thrower" })).rejects.toThrow("at once");
    expect(pool.stats().policies[0]).toMatchObject({ destinations: { thrower: { running: 0, calls: 1 } } });
  });

  it("takes any name for what it is", async () => {
    const names = ["__proto__", "constructor", "toString", "a/b", "nul\0", "x".repeat(5_000), "\u202Eevil"];
    const { pool, db } = setUp({ open: (name) => fakePool(undefined, name) });
    const session = db.session();
    for (const destination of names) await session.query("INSERT INTO a VALUES (1)", { destination });
    const { destinations: told } = pool.stats().policies[0] as never as { destinations: Record<string, object> };
    for (const name of names) expect(Object.hasOwn(told, name) && told[name]).toMatchObject({ calls: 1, running: 0 });
    expect(session.token.length).toBeLessThanOrEqual(3_000);
    for (const name of names) expect(await db.controls.get("destinations").act("close", name)).toBe(true);
    const refused = await db.query("SELECT 1", { destination: "lone \uD800" }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    const none = setUp();
    const { message } = (await none.db
      .query("SELECT 1", { destination: `a\n${"x".repeat(5_000)}` })
      .catch((error: unknown) => error)) as Error;
    expect(message).not.toContain("\n");
    expect(message.length).toBeLessThan(250);
  });

  it("closes one at once where that is asked for", async () => {
    const closings: unknown[] = [];
    const { db } = setUp({
      open: (name) => ({
        ...fakePool(undefined, name),
        close: (options) => Promise.resolve(void closings.push(options)),
      }),
    });
    await db.query("SELECT 1", { destination: "a" });
    const control = db.controls.get("destinations");
    await expect(control.act("close", "a", { drainMs: -1 })).rejects.toThrow(/drainMs/);
    await expect(control.act("close", "a", { wait: 1 })).rejects.toThrow(/wait/);
    expect(await control.act("close", "a", { drainMs: 0 })).toBe(true);
    expect(closings).toEqual([{ drainMs: 0 }]);
  });

  it("waits for one that is being closed no longer than it is told to, and interrupts it with the others", async () => {
    const time = new ManualClock();
    const slow: Pool[] = [];
    const { pool, db } = setUp({
      clock: time,
      open: (name) => {
        // What runs there ends when it is interrupted, and not before.
        const interrupted = Promise.withResolvers<Error>();
        const one: Pool = {
          ...fakePool(() => interrupted.promise.then((reason) => Promise.reject(reason)), name),
          interrupt: (reason) => interrupted.resolve(reason),
          close: async () => void (await interrupted.promise),
        };
        slow.push(one);
        return one;
      },
    });
    const outcome = (destination: string): Promise<unknown> =>
      db.query("SELECT 1", { destination }).catch((error: unknown) => error);
    const first = outcome("first");
    const closing = db.controls.get("destinations").act("close", "first");
    const reason = new Error("the node is gone");
    pool.interrupt(reason);
    expect(await first).toBe(reason);
    await closing;
    const second = outcome("second");
    void db.controls.get("destinations").act("close", "second");
    const closed = db.close({ drainMs: 50 });
    await time.advance(50);
    expect(await second).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
    await closed;
    expect(time.pending).toBe(0);
  });

  it("asks all that there always are for their health, or the one that a face leads to", async () => {
    const down = (name: string): FakePool => fakePool(() => Promise.reject(new Error(`${name} is down`)), name);
    const up = (name: string): FakePool => fakePool(undefined, name);
    const rules = [{ to: ({ tenant }: { readonly tenant: string | undefined }) => tenant }];
    const of = (a: FakePool, b: FakePool, byDefault: "a" | false) =>
      layer("timeout")(destinations({ to: { a, b }, default: byDefault, rules, open: down, clock }));
    const health = async (pool: Pool, options = {}): Promise<unknown> => {
      const { status, readable, writable, error } = await database(pool).with(options).health();
      return [status, readable, writable, (error as Error | undefined)?.message];
    };
    const well = ["ok", true, true, undefined];
    expect(await health(of(up("a"), up("b"), "a"))).toEqual(well);
    expect(await health(of(up("a"), down("b"), "a"))).toEqual(["degraded", true, true, undefined]);
    expect(await health(of(down("a"), up("b"), "a"))).toEqual(["down", false, false, "a is down"]);
    expect(await health(of(up("a"), up("b"), false))).toEqual(well);
    expect(await health(of(up("a"), down("b"), false))).toEqual(["degraded", true, true, undefined]);
    expect(await health(of(down("a"), down("b"), false))).toEqual(["down", false, false, "a is down"]);
    expect(await health(of(down("a"), up("b"), "a"), { destination: "b" })).toEqual(well);
    expect(await health(of(up("a"), down("b"), "a"), { tenant: "b" })).toEqual(["down", false, false, "b is down"]);
    expect(await health(of(up("a"), up("b"), "a"), { tenant: "c" })).toEqual(["down", false, false, "c is down"]);
    expect(await health(fakePool(), { destination: "b" })).toMatchObject(["down", false, false, /needs destinations/]);
  });

  it("does not take the primary of one database for that of another", async () => {
    const standing = (name: string, role: "primary" | "replica", state: "up" | "down"): FakePool => {
      const pool = fakePool(undefined, name);
      const stats = pool.stats();
      return Object.assign(pool, { stats: () => ({ ...stats, nodes: [{ name: "db", role, state, pool: stats }] }) });
    };
    const { db } = setUp({
      to: { main: standing("main", "replica", "up"), far: standing("far", "primary", "up") },
    });
    const { status, readable, writable, nodes } = await db.health();
    expect([status, readable, writable]).toEqual(["down", true, false]);
    expect(nodes.map(({ name }) => name)).toEqual(["main/db", "far/db"]);
    expect(await db.with({ destination: "far" }).health()).toMatchObject({ status: "ok", nodes: [{ name: "far/db" }] });
  });

  it("stands outside what knows one database", () => {
    const { pool } = setUp();
    expect(() => layer("coalesce")(pool)).toThrow(/each destination its own/);
    expect(() => layer("commit-resolution")(pool)).toThrow(/each destination its own/);
    expect(() => destinations({ to: { pool }, default: "pool" })).toThrow(/one has them all/);
    layer("timeout")(pool);
  });

  it("tells of all its destinations: events, controls, sums", async () => {
    const { pool, db, main } = setUp({ open: (name) => fakePool(undefined, name) });
    const lost: string[] = [];
    pool.events.on("connection:lost", (event) => lost.push(event.pool));
    main.events.emit("connection:lost", { pool: "main", error: undefined });
    expect(lost).toEqual(["main"]);
    await db.query("SELECT 1", { destination: "x" });
    expect(pool.stats().max).toBe(40);
    expect(await db.controls.get("destinations").act("close", "x")).toBe(true);
    expect(await db.controls.get("destinations").act("close", "x")).toBe(false);
    pool.interrupt(new Error("lost"));
    expect(main.interrupts).toHaveLength(1);
    await pool.close();
    await expect(db.query("SELECT 1")).rejects.toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
  });

  it.each<[string, Partial<Record<keyof DestinationsOptions | "more", unknown>>]>([
    ["destinations.to", { to: {} }],
    ["destinations.to.main", { to: { main: 7 } }],
    ["destinations.to", { to: { "lone \uD800": fakePool() } }],
    ["destinations.default", { default: "nowhere" }],
    ["destinations.default", { default: undefined }],
    ["destinations.rules", { rules: "none" }],
    ["destinations.rules[0].to", { rules: [{ label: "a", to: "nowhere" }] }],
    ["destinations.rules[0].to", { rules: [{ label: "a" }] }],
    ["destinations.rules[0].label", { rules: [{ label: "", to: "main" }] }],
    ["destinations.rules[0]", { rules: [{ user: "a", to: "main" }] }],
    ["destinations.open", { open: true }],
    ["destinations.maxOpen", { maxOpen: 0 }],
    ["destinations.idleMs", { idleMs: -1 }],
    ["destinations.name", { name: "" }],
    ["destinations", { more: 1 }],
  ])("names a wrong %s", (option, wrong) => {
    expect(() => setUp(wrong as never)).toThrow(option);
  });

  it("refuses one pool under two names", () => {
    const pool = fakePool();
    expect(() => destinations({ to: { a: pool, b: pool }, default: "a" })).toThrow(/destinations\.to\.b/);
  });
});
