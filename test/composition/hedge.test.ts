import { beforeEach, describe, expect, it } from "vitest";
import {
  compose,
  type Database,
  database,
  type Dialect,
  driverPool,
  type EventMap,
  failureOf,
  type NodeState,
  policy,
  type Policy,
  type Pool,
  runStatement,
  seededRandom,
  StackOrderError,
  TimeoutError,
} from "@breakwater/core";
import { failing, fakeDialect, type FakeDriver, fakeDriver, ManualClock } from "@breakwater/core/testing";
import { coalesce, fallback, hedge, type HedgeOptions, retry, retryBudget, router } from "@breakwater/policies";

/** A server: how long it takes to answer, and what. */
interface Server {
  readonly name: string;
  readonly driver: FakeDriver;
  readonly pool: Pool;
  state: NodeState;
  tookMs: () => number;
  /** Thrown instead of an answer. */
  trouble: (() => Error | undefined) | undefined;
  /** Statements of callers, in order. */
  readonly texts: string[];
}

const dialect: Dialect = {
  ...fakeDialect,
  judge: (error) => failureOf(error),
  probe: async (connection) => (await connection.query<NodeState>({ text: "PROBE" })).rows[0]!,
};

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

function server(name: string, role: "primary" | "replica"): Server {
  const driver = fakeDriver(async ({ text }) => {
    if (text === "PROBE") return { rows: [one.state], rowCount: 1, command: "SELECT", fields: [] };
    one.texts.push(text);
    await new Promise<void>((resolve) => clock.setTimer(one.tookMs(), resolve));
    const error = one.trouble?.();
    if (error !== undefined) throw error;
    return { rows: [{ from: name }], rowCount: 1, command: "SELECT", fields: [] };
  }, 10);
  const one: Server = {
    name,
    driver,
    pool: driverPool(driver, dialect, { name, clock }),
    state: { role, systemId: undefined, timeline: 1, position: 100n },
    tookMs: () => 2,
    trouble: undefined,
    texts: [],
  };
  return one;
}

interface Setup {
  readonly db: Database;
  readonly primary: Server;
  readonly replicas: readonly Server[];
  readonly heard: (keyof EventMap)[];
  readonly sent: EventMap["hedge:sent"][];
  /** Runs a read to its end, and tells who answered it and how long it took. */
  readonly read: (options?: Parameters<Database["query"]>[2]) => Promise<{ from: unknown; tookMs: number }>;
  readonly stats: () => Record<string, number>;
}

async function setUp(
  options: HedgeOptions = {},
  { count = 2, inside = [] as readonly Policy[], outside = [] as readonly Policy[] } = {},
): Promise<Setup> {
  const primary = server("primary", "primary");
  const replicas = Array.from({ length: count }, (_, index) => server(`replica ${index + 1}`, "replica"));
  const nodes = router({
    primary: primary.pool,
    replicas: replicas.map(({ pool }) => pool),
    clock,
    random: seededRandom(1),
  });
  const stack = compose(...outside, hedge({ clock, minimumCalls: 20, ...options }), ...inside)(nodes);
  const db = database(stack, { clock });
  const heard: (keyof EventMap)[] = [];
  const sent: EventMap["hedge:sent"][] = [];
  for (const name of ["hedge:sent", "hedge:won", "hedge:lost"] as const) db.on(name, () => void heard.push(name));
  db.on("hedge:sent", (event) => void sent.push(event));
  const read: Setup["read"] = async (given) => {
    const startMs = clock.now();
    const { rows } = await db.query<{ from: string }>("SELECT 1", [], given);
    return { from: rows[0]?.from, tookMs: clock.now() - startMs };
  };
  const stats = (): Record<string, number> => db.stats().policies.find((one) => one.policy === "hedge") as never;
  // Enough reads for the usual time to be known.
  for (let each = 0; each < 200; each += 1) {
    const answered = read();
    await clock.advance(3);
    await answered;
  }
  return { db, primary, replicas, heard, sent, read, stats };
}

const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

/** Lets one answer of each replica's next take so long. */
function slowOnce(servers: readonly Server[], ms: number): void {
  let left = 1;
  for (const one of servers) one.tookMs = () => (left-- > 0 ? ms : 2);
}

function destroyed({ driver }: Server): number {
  return driver.connections.filter(({ state }) => state === "destroyed").length;
}

describe("hedge", () => {
  it("answers with the other replica's answer, and keeps the connection of the slow one", async () => {
    const { db, replicas, read, sent, heard, stats } = await setUp();
    slowOnce(replicas, 100);
    const answered = read({ label: undefined as never });
    await clock.advance(200);
    const { from, tookMs } = await answered;
    expect(tookMs).toBeLessThanOrEqual(8);
    expect(sent).toHaveLength(1);
    expect(sent[0]!.node).toBe(from);
    expect(sent[0]!.node).not.toBe(sent[0]!.slow);
    expect(heard).toEqual(["hedge:sent", "hedge:won"]);
    expect(stats()).toMatchObject({ sent: 1, won: 1, lost: 0, runningOut: 0, cancelled: 0 });
    expect(replicas.map(destroyed)).toEqual([0, 0]);
    await db.close();
    expect(clock.pending).toBe(0);
  });

  it("keeps the second connection as well when the first go answers after all", async () => {
    const { db, replicas, read, heard, stats } = await setUp();
    for (const one of replicas) one.tookMs = () => 9;
    const answered = read();
    await clock.advance(100);
    expect((await answered).tookMs).toBe(9);
    expect(heard).toEqual(["hedge:sent", "hedge:lost"]);
    expect(stats()).toMatchObject({ lost: 1, runningOut: 0, cancelled: 0 });
    expect(replicas.map(destroyed)).toEqual([0, 0]);
    await db.close();
    expect(clock.pending).toBe(0);
  });

  it("cancels what runs on for too long", async () => {
    const { db, replicas, read, stats } = await setUp({ runOutMs: 50 });
    slowOnce(replicas, 10_000);
    const answered = read();
    await clock.advance(40);
    await answered;
    expect(stats()).toMatchObject({ runningOut: 1, cancelled: 0 });
    await clock.advance(60);
    expect(stats()).toMatchObject({ runningOut: 0, cancelled: 1 });
    expect(replicas.reduce((sum, one) => sum + destroyed(one), 0)).toBe(1);
    await db.close();
  });

  it("makes the tail as short as its delay, within its budget, and loses no connection", async () => {
    const random = seededRandom(7);
    const run = async (options: HedgeOptions): Promise<{ p99: number; extra: number; lost: number }> => {
      clock = new ManualClock();
      const { db, replicas, read, stats } = await setUp(options);
      replicas[0]!.tookMs = () => (random() < 0.02 ? 102 : 1 + 2 * random());
      replicas[1]!.tookMs = () => 1 + 2 * random();
      const before = replicas.reduce((sum, { texts }) => sum + texts.length, 0);
      const took: number[] = [];
      const caller = async (): Promise<void> => {
        for (let each = 0; each < 1_000; each += 1) took.push((await read()).tookMs);
      };
      const callers = Promise.all(Array.from({ length: 4 }, caller));
      const all = 4 * 1_000;
      while (took.length < all) await clock.advance(200);
      await callers;
      const after = replicas.reduce((sum, { texts }) => sum + texts.length, 0);
      const p99 = took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)]!;
      expect(stats().runningOut).toBe(0);
      const lost = replicas.reduce((sum, one) => sum + destroyed(one), 0);
      await db.close();
      return { p99, extra: (after - before) / took.length - 1, lost };
    };
    const without = await run({ only: () => false });
    const withIt = await run({});
    expect(without.p99).toBeGreaterThan(100);
    expect(withIt.p99).toBeLessThanOrEqual(0.35 * without.p99);
    expect(withIt.extra).toBeLessThanOrEqual(0.05);
    expect(withIt.extra).toBeGreaterThan(0.005);
    expect(withIt.lost).toBe(0);
  });

  it("sends no more than its budget allows when everything is slow", async () => {
    const { db, replicas, read, stats } = await setUp();
    for (const one of replicas) one.tookMs = () => 50;
    const before = stats().reads!;
    const reads = Array.from({ length: 100 }, () => read());
    await clock.advance(2_000);
    await Promise.all(reads);
    const { sent, overBudget, reads: all } = stats();
    expect(sent).toBeLessThanOrEqual(5 + 0.05 * all!);
    expect(overBudget).toBeGreaterThan(80);
    expect(all! - before).toBe(100);
    await db.close();
  });

  it("shares a budget with retry, and takes nothing from it where there is no other node", async () => {
    const budget = retryBudget({ clock, ratio: 0.1, minPerWindow: 10 });
    const { db, replicas, read } = await setUp({ budget }, { count: 1, inside: [retry({ clock, budget })] });
    const counted = budget.stats().calls;
    expect(counted).toBeGreaterThan(150);
    expect(counted).toBeLessThanOrEqual(200);
    slowOnce(replicas, 500);
    const answered = read();
    await clock.advance(600);
    expect((await answered).tookMs).toBe(500);
    expect(budget.stats()).toMatchObject({ retries: 0, refused: 0 });
    await db.close();
  });

  it("goes neither to the same node nor, unless told, to the primary", async () => {
    const alone = await setUp({}, { count: 1 });
    slowOnce(alone.replicas, 300);
    const first = alone.read();
    await clock.advance(400);
    expect(await first).toEqual({ from: "replica 1", tookMs: 300 });
    expect(alone.primary.texts).toEqual([]);
    expect(alone.heard).toEqual([]);
    await alone.db.close();

    clock = new ManualClock();
    const told = await setUp({ toPrimary: true }, { count: 1 });
    slowOnce(told.replicas, 300);
    const second = told.read();
    await clock.advance(400);
    expect((await second).from).toBe("primary");
    await told.db.close();
  });

  it("leaves writes, transactions, borrowed connections, strong reads and sessions alone", async () => {
    const { db, primary, replicas, heard } = await setUp({ toPrimary: true });
    for (const one of [primary, ...replicas]) one.tookMs = () => 80;
    const session = db.session();
    const calls = [
      db.query("INSERT INTO t VALUES (1)"),
      db.query("SELECT 1", [], { consistency: "strong" }),
      db.query("SELECT 1", [], { access: "write" }),
      db.transaction((transaction) => transaction.query("SELECT 1"), { readOnly: true }),
      session.query("SELECT 1"),
      db.connect().then(async (connection) => {
        await connection.query("SELECT 1");
        connection.release();
      }),
    ];
    await clock.advance(1_000);
    await Promise.all(calls);
    expect(heard).toEqual([]);
    await db.close();
  });

  it("sends a read that must see a write only where that has arrived", async () => {
    const { db, primary, replicas, read, sent } = await setUp({}, { count: 3 });
    const write = db.query("INSERT INTO t VALUES (1)");
    await clock.advance(10);
    await write;
    primary.state = { ...primary.state, position: 200n };
    for (const one of replicas.slice(0, 2)) one.state = { ...one.state, position: 200n };
    const placed = read();
    await clock.advance(150);
    await placed;
    for (const one of replicas.slice(0, 2)) one.tookMs = () => 60;
    const behind = replicas[2]!.texts.length;
    for (let each = 0; each < 10; each += 1) {
      const answered = read();
      await clock.advance(300);
      await answered;
    }
    expect(replicas[2]!.texts).toHaveLength(behind);
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.map(({ node }) => node)).not.toContain("replica 3");
    await db.close();
  });

  it("rejects with the caller's reason when it leaves, and ends both goes", async () => {
    const { db, replicas, read } = await setUp();
    for (const one of replicas) one.tookMs = () => 500;
    const abort = new AbortController();
    const reason = new Error("left");
    const ended = outcome(read({ signal: abort.signal }));
    await clock.advance(20);
    expect(replicas.every(({ driver }) => driver.connections.some(({ running }) => running > 0))).toBe(true);
    abort.abort(reason);
    await clock.advance(0);
    expect(await ended).toBe(reason);
    expect(replicas.some(({ driver }) => driver.connections.some(({ running }) => running > 0))).toBe(false);
    await db.close();
    expect(clock.pending).toBeLessThanOrEqual(2); // the timers of the servers' own
  });

  it("is refused at once to a caller that has left before", async () => {
    const { db, read } = await setUp();
    const reason = new Error("left");
    expect(await outcome(read({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    await db.close();
  });

  it("ends both goes at the deadline", async () => {
    const { db, replicas, read } = await setUp();
    for (const one of replicas) one.tookMs = () => 500;
    const startMs = clock.now();
    const ended = outcome(read({ timeoutMs: 40 })).then((error) => ({ error, tookMs: clock.now() - startMs }));
    await clock.advance(600);
    expect(await ended).toMatchObject({ error: expect.any(TimeoutError), tookMs: 40 });
    await db.close();
    expect(clock.pending).toBe(0);
  });

  it("answers with the second go when the first fails, and with the first one's error when both do", async () => {
    const { db, replicas, read, heard } = await setUp();
    const errors = [new Error("one"), new Error("other")];
    let turn = 0;
    for (const one of replicas) {
      one.tookMs = () => 20;
      one.trouble = () => failing({ retry: "never", connection: "keep" }, errors[turn++]);
    }
    const ended = outcome(read());
    await clock.advance(100);
    expect(await ended).toBe(errors[0]);
    expect(heard).toEqual(["hedge:sent", "hedge:lost"]);
    await db.close();
  });

  it("is not tried again by retry where the second go fails, and neither is a first go that lost", async () => {
    const { db, replicas, read, stats } = await setUp({}, { inside: [retry({ clock, jitter: "none" })] });
    slowOnce(replicas, 30);
    // The first go fails after the second has answered.
    for (const one of replicas) {
      const { tookMs } = one;
      one.tookMs = () => {
        const ms = tookMs();
        one.trouble = ms === 30 ? () => failing({ connection: "keep" }) : undefined;
        return ms;
      };
    }
    const before = replicas.reduce((sum, { texts }) => sum + texts.length, 0);
    const answered = read();
    await clock.advance(1_000);
    expect((await answered).tookMs).toBeLessThan(12);
    expect(replicas.reduce((sum, { texts }) => sum + texts.length, 0) - before).toBe(2);
    expect(stats().runningOut).toBe(0);
    await db.close();
  });

  it("leaves a statement one that may share a connection", async () => {
    const seen: unknown[] = [];
    const noting = policy("noting", (operation, next) => {
      if (operation.hedged !== undefined) seen.push(operation.run);
      return next(operation);
    });
    const { db, read } = await setUp({}, { inside: [noting] });
    const answered = read();
    await clock.advance(5);
    await answered;
    expect(new Set(seen)).toEqual(new Set([runStatement]));
    await db.close();
  });

  it("stands inside coalesce and fallback, and outside the router", () => {
    const inner = server("one", "primary").pool;
    expect(() => compose(hedge(), coalesce())(inner)).toThrow(StackOrderError);
    expect(() => compose(hedge(), fallback({ for: { rejected: true }, value: 1 }))(inner)).toThrow(StackOrderError);
    expect(() => compose(coalesce(), hedge(), retry())(inner)).not.toThrow();
    expect(() => router({ primary: hedge()(inner) })).toThrow(StackOrderError);
  });

  it("gives callers that share a read one hedge", async () => {
    const { db, replicas, read, stats } = await setUp({}, { outside: [coalesce({ clock })] });
    slowOnce(replicas, 100);
    const reads = Array.from({ length: 10 }, () => read());
    await clock.advance(200);
    for (const { tookMs } of await Promise.all(reads)) expect(tookMs).toBeLessThanOrEqual(8);
    expect(stats()).toMatchObject({ sent: 1, won: 1 });
    await db.close();
  });

  it("ends what runs out when it is closed", async () => {
    const { db, replicas, read } = await setUp();
    slowOnce(replicas, 5_000);
    const answered = read();
    await clock.advance(50);
    await answered;
    const closed = db.close();
    await clock.advance(1);
    await closed;
    expect(clock.pending).toBe(1); // the server's own
  });

  it.each([1, 2, 3])("leaves nothing behind whatever happens to goes and callers (seed %i)", async (seed) => {
    const random = seededRandom(seed);
    const options: HedgeOptions = { runOutMs: 40, maxRunningOut: 4, minDelayMs: 2, quantile: 0.5, budget: false };
    const { db, primary, replicas, stats } = await setUp(options, {
      inside: [retry({ clock, random, maxRetries: 1, initialDelayMs: 5 })],
    });
    for (const one of [primary, ...replicas]) {
      one.tookMs = () => (random() < 0.2 ? 120 * random() : 4 * random());
      one.trouble = () => {
        const dice = random();
        return dice < 0.9
          ? undefined
          : failing(
              {
                connection: dice < 0.95 ? "keep" : "destroy",
                retry: dice < 0.93 ? "never" : "other-node",
                blames: "load",
              },
              new Error("planted"),
            );
      };
    }
    const ends = new Map<string, number>();
    const told = (how: string): void => void ends.set(how, (ends.get(how) ?? 0) + 1);
    const reads = Array.from({ length: 1_500 }, async (_, index) => {
      await new Promise<void>((resolve) => clock.setTimer(index * 2 * random(), resolve));
      const abort = new AbortController();
      if (random() < 0.2) clock.setTimer(20 * random(), () => abort.abort(new Error("left")));
      const timeoutMs = random() < 0.2 ? 1 + 60 * random() : 5_000;
      await db.query("SELECT 1", [], { signal: abort.signal, timeoutMs }).then(
        () => told("ok"),
        (error: Error) => told(error instanceof TimeoutError ? "late" : error.message),
      );
    });
    await clock.advance(10_000);
    await Promise.all(reads);
    expect([...ends.keys()].toSorted((a, b) => a.localeCompare(b))).toEqual(["late", "left", "ok", "planted"]);
    expect(stats()["sent"]).toBeGreaterThan(100);
    expect(stats()).toMatchObject({ runningOut: 0 });
    expect(stats()["cancelled"]).toBeGreaterThan(0);
    for (const { driver, pool } of [primary, ...replicas]) {
      expect(pool.stats()).toMatchObject({ active: 0, waiting: 0 });
      // The prober's own connection is held.
      const busy = driver.connections.filter(({ state, running }) => running > 0 || state === "held");
      expect(busy.length).toBeLessThanOrEqual(1);
    }
    await db.close();
    expect(clock.pending).toBe(0);
  });
});
