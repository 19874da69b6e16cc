import { database, failureOf, policy } from "@breakwater/core";
import { fromPglite, type PgliteInstance, type PgliteResult } from "@breakwater/pglite";
import { PGlite } from "@electric-sql/pglite";
import { breakwater } from "breakwater";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";

describe("PGlite as a node of the stack", () => {
  let pglite: PGlite;
  beforeAll(async () => {
    pglite = await PGlite.create();
    await pglite.exec("CREATE TABLE notes (id int PRIMARY KEY, body jsonb)");
  });
  afterAll(() => pglite.close());
  beforeEach(async () => {
    await pglite.exec("DELETE FROM notes");
  });

  it("runs the preset with no server: statements, transactions, exactly once, sessions, probes beside a transaction", async () => {
    const db = breakwater({ primary: fromPglite(pglite, { closePglite: false }), router: { probeIntervalMs: 20 } });
    await db.query("INSERT INTO notes VALUES ($1, $2)", [1, { a: 1 }], { exactlyOnce: true });
    const changed: unknown[] = [];
    db.on("router:node-down", (event) => changed.push(event));
    const id = await db.transaction(async (tx) => {
      await tx.query("INSERT INTO notes VALUES (2, NULL)");
      // Probes go on meanwhile: none may wait for the session, or be let into the transaction.
      await new Promise((resolve) => setTimeout(resolve, 100));
      return (await tx.query<{ id: number }>("SELECT max(id) AS id FROM notes")).rows[0]?.id;
    });
    expect(id).toBe(2);
    expect(changed).toEqual([]);
    const session = db.session();
    await session.query("INSERT INTO notes VALUES (3, NULL)");
    expect((await session.query("SELECT count(*)::int AS n FROM notes")).rows).toEqual([{ n: 3 }]);
    expect(failureOf(await errorOf(db.query("INSERT INTO notes VALUES (3, NULL)")))).toMatchObject({ effect: "none" });
    await db.close();
    expect(pglite.closed).toBe(false);
  });

  it("is not taken for a node that hangs while it starts, however long that takes", async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const starting = new Proxy(pglite, {
      get(target, key) {
        if (key === "waitReady") return started;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    let probes = 0;
    const counted = policy("counted", (operation, next) => {
      if (operation.purpose === "probe") probes += 1;
      return next(operation);
    });
    const db = breakwater({
      primary: fromPglite(starting, { closePglite: false }),
      router: { probeIntervalMs: 5, probeTimeoutMs: 50 },
      nodePolicies: [counted],
    });
    const down: unknown[] = [];
    db.on("router:node-down", (event) => down.push(event));
    const written = db.query("INSERT INTO notes VALUES (1, NULL)");
    await until("several probes to have been answered", () => probes > 3);
    start();
    expect((await written).rowCount).toBe(1);
    expect(down).toEqual([]);
    await db.close();
  });

  it("brings notices and notifications; with more than one connection a subscription keeps nobody waiting", async () => {
    const pool = fromPglite(pglite, { closePglite: false, max: 2 });
    const db = database(pool);
    const notices: unknown[] = [];
    pool.events.on("connection:notice", ({ notice }) => notices.push(notice));
    await db.query("DO $$ BEGIN RAISE NOTICE 'hear'; END $$");
    expect(notices).toMatchObject([{ message: "hear" }]);
    const heard: unknown[] = [];
    await db.listen("news", ({ payload }) => heard.push(payload));
    await db.notify("news", "one");
    await until("it to be heard", () => heard.length > 0);
    expect(heard).toEqual(["one"]);
    await db.close();
  });

  it("keeps others out of a transaction that is open, however many connections there are", async () => {
    const db = database(fromPglite(pglite, { closePglite: false, max: 3 }));
    const order: string[] = [];
    let beside: Promise<unknown> | undefined;
    await db.transaction(async (tx) => {
      await tx.query("INSERT INTO notes VALUES (1, NULL)");
      beside = db.query("SELECT 1").then(() => order.push("beside"));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await tx.query("SELECT 1");
      order.push("inside");
    });
    await beside;
    expect(order).toEqual(["inside", "beside"]);
    await db.close();
  });

  it("prepares the session as it is told, and takes away what a borrower left", async () => {
    const db = database(
      fromPglite(pglite, {
        closePglite: false,
        onConnect: (connection) => connection.query("SET conformance.mark = 'own'"),
        resetOnRelease: "discard-all",
      }),
    );
    const mark = async (): Promise<unknown> =>
      (await db.query("SELECT current_setting('conformance.mark') AS mark")).rows[0]?.["mark"];
    expect(await mark()).toBe("own");
    const held = await db.connect();
    await held.query("SET conformance.mark = 'left'");
    held.release();
    expect(await mark()).toBe("own");
    await db.close();
  });

  it("is made with the first call and closed with the pool, where the pool was to make it", async () => {
    const db = database(fromPglite("memory://"));
    expect((await db.query("SELECT 1 AS a")).rows).toEqual([{ a: 1 }]);
    await db.close();
    await database(fromPglite()).close();
    await pglite.query("SELECT 1");
    await expect(database(fromPglite({ dataDir: "/dev/null/nowhere" })).query("SELECT 1")).rejects.toThrow(Error);
  });

  it("is refused when its options are wrong", () => {
    for (const wrong of [5, null, []])
      expect(() => fromPglite(wrong as never)).toThrow(expect.objectContaining({ code: "ERR_BREAKWATER_OPTION" }));
    expect(() => fromPglite({}, { max: 0 })).toThrow("max");
    expect(() => fromPglite({}, { min: 1 } as never)).toThrow("min");
    expect(() => fromPglite({}, { closePglite: "no" as never })).toThrow("closePglite");
  });
});

/** A PGlite in another thread: a statement takes as long as it is told, and this thread goes on meanwhile. */
function slowPglite(): PgliteInstance & { readonly sent: string[]; most: number; finish(): void } {
  let open = false;
  let running = 0;
  let finish: () => void = () => undefined;
  const result: PgliteResult = { rows: [], fields: [], command: "SELECT", rowCount: 0 };
  const run = async (text: string): Promise<PgliteResult> => {
    slow.sent.push(text);
    running += 1;
    slow.most = Math.max(slow.most, running);
    if (text === "slow") await new Promise<void>((resolve) => (finish = resolve));
    if (text.startsWith("BEGIN")) open = true;
    if (text.startsWith("ROLLBACK")) open = false;
    running -= 1;
    return result;
  };
  const slow = {
    waitReady: Promise.resolve(),
    closed: false,
    sent: [] as string[],
    most: 0,
    query: run,
    exec: async (text: string) => [await run(text)],
    close: () => Promise.resolve(),
    isInTransaction: () => open,
    finish: () => finish(),
  };
  return slow;
}

describe("a statement of PGlite that takes too long", () => {
  it("is given up by its caller, and nobody else has the session before it has ended and been tidied up", async () => {
    const slow = slowPglite();
    const db = database(fromPglite(slow));
    const late = db.transaction((tx) => tx.query("slow"), { timeoutMs: 20 });
    expect(await errorOf(late)).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
    const next = db.query("next");
    await expect(db.query("SELECT 'impatient'", { timeoutMs: 20 })).rejects.toMatchObject({ phase: "acquire" });
    expect(slow.sent).toEqual(["BEGIN", "slow"]);
    slow.finish();
    await next;
    expect(slow.sent.map((text) => text.split(" ")[0])).toEqual(["BEGIN", "slow", "ROLLBACK", "CLOSE", "next"]);
    expect(slow.most).toBe(1);
    await db.close();
  });

  it("does not keep close() waiting", async () => {
    const slow = slowPglite();
    const db = database(fromPglite(slow));
    const late = errorOf(db.query("slow"));
    await until("it to run", () => slow.sent.length > 0);
    await db.close({ drainMs: 10 });
    expect(await late).toMatchObject({ code: "ERR_BREAKWATER_OUTCOME_UNKNOWN" });
    slow.finish();
  });
});
