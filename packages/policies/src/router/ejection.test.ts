import { describe, expect, it } from "vitest";
import { type EventMap, type NodeState, type Pool, seededRandom } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import type { EjectionOptions } from "./ejection.ts";
import type { RouterOptions } from "./options.ts";
import { CallWindow } from "./outliers.ts";
import { router } from "./router.ts";

interface Server {
  readonly name: string;
  tookMs: () => number;
  failureRatio: number;
  served: number;
}

interface Setup {
  readonly clock: ManualClock;
  readonly pool: Pool;
  readonly primary: Server;
  readonly replicas: readonly Server[];
  readonly ejected: { readonly node: string; readonly cause: string; readonly atMs: number }[];
  readonly readmitted: { readonly node: string; readonly atMs: number }[];
  /** Lets callers read, and as many write, for a while. */
  readonly serve: (forMs: number) => Promise<void>;
}

function setUp(count: number, ejection: EjectionOptions | false = {}, more: Partial<RouterOptions> = {}): Setup {
  const clock = new ManualClock(1_000);
  const random = seededRandom(3);
  const server = (name: string, role: NodeState["role"]): { one: Server; pool: Pool } => {
    const one: Server = { name, tookMs: () => 4 + 2 * random(), failureRatio: 0, served: 0 };
    const state: NodeState = { role, systemId: undefined, timeline: 1, position: 100n };
    const pool = fakePool(async ({ purpose }) => {
      if (purpose === "probe") return state;
      one.served += 1;
      await new Promise<void>((resolve) => clock.setTimer(one.tookMs(), resolve));
      if (random() < one.failureRatio) throw failing({ connection: "keep", blames: "load", retry: "never" });
      return name;
    }, name);
    return { one, pool };
  };
  const primary = server("primary", "primary");
  const replicas = Array.from({ length: count }, (_, index) => server(`replica ${index + 1}`, "replica"));
  const pool = router({
    primary: primary.pool,
    replicas: replicas.map((each) => each.pool),
    clock,
    random,
    ejection,
    ...more,
  });
  const ejected: Setup["ejected"] = [];
  const readmitted: Setup["readmitted"] = [];
  pool.events.on("router:node-ejected", ({ node, cause }: EventMap["router:node-ejected"]) => {
    ejected.push({ node, cause, atMs: clock.now() });
  });
  pool.events.on("router:node-readmitted", ({ node }) => void readmitted.push({ node, atMs: clock.now() }));
  const serve = async (forMs: number): Promise<void> => {
    const end = clock.now() + forMs;
    const caller = async (access: "read" | "write"): Promise<void> => {
      while (clock.now() < end) await pool.execute(fakeCall({ access })).catch(() => undefined);
    };
    const callers = [...Array.from({ length: 8 }, () => caller("read")), caller("write")];
    while (clock.now() < end) await clock.advance(100);
    await clock.advance(1_000);
    await Promise.all(callers);
  };
  return { clock, pool, primary: primary.one, replicas: replicas.map(({ one }) => one), ejected, readmitted, serve };
}

describe("ejection by latency", () => {
  it.each([2, 3, 5])(
    "leaves a replica out that is five times slower than %i - 1 others, within 10 s",
    async (count) => {
      const { clock, pool, replicas, ejected, serve } = setUp(count);
      await serve(5_000);
      expect(ejected).toEqual([]);
      const slowAt = clock.now();
      replicas.at(0)!.tookMs = () => 25;
      await serve(10_000);
      expect(ejected.at(0)!).toMatchObject({ node: "replica 1", cause: "latency" });
      expect(ejected.at(0)!.atMs - slowAt).toBeLessThan(10_000);
      expect(new Set(ejected.map(({ node }) => node))).toEqual(new Set(["replica 1"]));
      await pool.close();
    },
  );

  it("takes it back within 30 s of its recovery, however long it was slow", async () => {
    const { clock, pool, replicas, ejected, readmitted, serve } = setUp(2);
    replicas.at(0)!.tookMs = () => 25;
    await serve(180_000);
    expect(ejected.length).toBeGreaterThan(4);
    replicas.at(0)!.tookMs = () => 5;
    const wellAt = clock.now();
    const before = ejected.length;
    await serve(40_000);
    const back = readmitted.filter(({ atMs }) => atMs >= wellAt);
    expect(back).toHaveLength(1);
    expect(back.at(0)!.atMs - wellAt).toBeLessThan(30_000);
    expect(ejected).toHaveLength(before);
    const served = replicas.map((one) => one.served);
    await serve(5_000);
    const [first = 0, second = 1] = replicas.map((one, index) => one.served - (served.at(index) ?? 0));
    expect(first / second).toBeGreaterThan(0.8);
    await pool.close();
  }, 240_000);

  it("serves little from one that stays slow", async () => {
    const { pool, replicas, serve } = setUp(2);
    replicas.at(0)!.tookMs = () => 25;
    await serve(20_000);
    const served = replicas.map((one) => one.served);
    await serve(120_000);
    const [slow = 1, well = 0] = replicas.map((one, index) => one.served - (served.at(index) ?? 0));
    expect(slow / (slow + well)).toBeLessThan(0.05);
    await pool.close();
  }, 240_000);

  it("leaves none out when all are slow, or the only replica is, or a minority is as quick as it was", async () => {
    for (const slow of [2, 1]) {
      const { pool, replicas, ejected, serve } = setUp(slow);
      await serve(3_000);
      for (const one of replicas) one.tookMs = () => 25;
      await serve(15_000);
      expect(ejected).toEqual([]);
      await pool.close();
    }
    const { pool, replicas, ejected, serve } = setUp(3);
    for (const one of replicas.slice(0, 2)) one.tookMs = () => 25;
    await serve(15_000);
    expect(ejected).toEqual([]);
    await pool.close();
  });

  it("does not mind a difference that nobody notices, and a slow moment", async () => {
    const { clock, pool, replicas, ejected, serve } = setUp(2);
    replicas.at(0)!.tookMs = () => 1.5;
    replicas.at(1)!.tookMs = () => 0.2;
    await serve(10_000);
    const stall = clock.now();
    for (const one of replicas) one.tookMs = () => 5;
    replicas.at(0)!.tookMs = () => (clock.now() - stall < 900 ? 50 : 5);
    await serve(10_000);
    expect(ejected).toEqual([]);
    await pool.close();
  });

  it("leaves a slow primary where it is", async () => {
    const { pool, primary, ejected, serve } = setUp(2);
    primary.tookMs = () => 100;
    await serve(15_000);
    expect(ejected).toEqual([]);
    expect(primary.served).toBeGreaterThan(100);
    await pool.close();
  });

  it("does not compare what a rule has sent to one node", async () => {
    const { clock, pool, replicas, ejected } = setUp(
      2,
      {},
      {
        rules: [{ label: "report", to: "replica 1", access: "read" }],
      },
    );
    for (const one of replicas) one.tookMs = () => 5;
    const end = clock.now() + 10_000;
    const answer = replicas.at(0);
    const caller = async (label: string): Promise<void> => {
      while (clock.now() < end) {
        answer!.tookMs = () => (label === "report" ? 60 : 5);
        const read = pool.execute(fakeCall({ label }));
        answer!.tookMs = () => 5;
        await read;
      }
    };
    const callers = [caller("report"), caller("report"), caller("point"), caller("point")];
    while (clock.now() < end) await clock.advance(100);
    await clock.advance(1_000);
    await Promise.all(callers);
    expect(ejected).toEqual([]);
    await pool.close();
  });

  it("can be switched off", async () => {
    const { pool, replicas, ejected, serve } = setUp(2, { latencyFactor: false });
    replicas.at(0)!.tookMs = () => 100;
    await serve(10_000);
    expect(ejected).toEqual([]);
    await pool.close();
  });
});

describe("ejection by failures among the calls", () => {
  it("leaves a replica out that fails more than half of its calls, though never many in a row", async () => {
    const { pool, replicas, ejected, serve } = setUp(2, { failures: 1_000 });
    replicas.at(1)!.failureRatio = 0.7;
    await serve(5_000);
    expect(ejected.at(0)!).toMatchObject({ node: "replica 2", cause: "failure-ratio" });
    await pool.close();
  });

  it("leaves none out where all fail", async () => {
    const { pool, replicas, ejected, serve } = setUp(3, { failures: 1_000 });
    for (const one of replicas) one.failureRatio = 0.6;
    await serve(5_000);
    expect(ejected).toEqual([]);
    await pool.close();
  });

  it("sees by the deviation, among many, that one fails more than the others", async () => {
    const { pool, replicas, ejected, serve } = setUp(6, { failures: 1_000 });
    for (const one of replicas) one.failureRatio = 0.01;
    replicas.at(4)!.failureRatio = 0.3;
    await serve(6_000);
    expect(ejected.map(({ node }) => node)).toContain("replica 5");
    expect(new Set(ejected.map(({ node }) => node))).toEqual(new Set(["replica 5"]));
    await pool.close();
  });

  it("can be switched off", async () => {
    const { pool, replicas, ejected, serve } = setUp(2, { failures: 1_000, failureRatio: false });
    replicas.at(1)!.failureRatio = 0.9;
    await serve(5_000);
    expect(ejected).toEqual([]);
    await pool.close();
  });
});

describe("a replica's calls", () => {
  it("are timed one by one while they are few, and then one of eight, whatever pattern there is among them", () => {
    const window = new CallWindow();
    for (let call = 0; call < 200; call += 1) {
      expect(window.toBeTimed()).toBe(true);
      window.latencies.record(1, 0);
    }
    const calls = Array.from({ length: 80_000 }, () => window.toBeTimed());
    for (const period of [1, 2, 5, 8, 16]) {
      for (let phase = 0; phase < period; phase += 1) {
        const one = calls.filter((_, at) => at % period === phase);
        const timed = one.filter(Boolean).length;
        expect(timed / one.length).toBeCloseTo(1 / 8, 2);
      }
    }
    window.clear();
    expect(window.toBeTimed()).toBe(true);
  });
});
