import { describe, expect, it } from "vitest";
import { OptionError } from "@breakwater/core";
import { fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { topologyOf } from "../membership.ts";
import { router } from "../router.ts";
import { auroraSource, dnsSource, fixedSource, type NodeDescription, patroniSource, polling } from "./index.ts";

/** What a source told: each list by names, each failure by its message. */
function listen(source: ReturnType<typeof polling>) {
  const told: NodeDescription[][] = [];
  const failed: string[] = [];
  const stop = source.start({
    nodes: (nodes) => void told.push([...nodes]),
    failed: (error) => void failed.push((error as Error).message),
  });
  return { told, failed, stop };
}

const node = (name: string, more: Partial<NodeDescription> = {}): NodeDescription => ({
  name,
  host: name,
  port: 5432,
  ...more,
});

describe("a source that asks again and again", () => {
  it("tells what is new, keeps still about the same, about nothing and about trouble, and stops", async () => {
    const clock = new ManualClock();
    let answer: () => readonly NodeDescription[] = () => [node("a")];
    const { told, failed, stop } = listen(polling(() => Promise.resolve().then(() => answer()), 1000, clock));
    await clock.advance(2500);
    answer = () => [];
    await clock.advance(1000);
    answer = () => {
      throw new Error("no resolver");
    };
    await clock.advance(1000);
    answer = () => [node("b"), node("a")];
    await clock.advance(1000);
    answer = () => [node("a"), node("b")];
    await clock.advance(1000);
    expect(told.map((nodes) => nodes.map(({ name }) => name))).toEqual([["a"], ["b", "a"]]);
    expect(failed).toEqual(["no resolver"]);
    stop();
    expect(clock.pending).toBe(0);
  });
});

describe("the DNS source", () => {
  const resolver = {
    lookup: () => Promise.resolve([{ address: "10.0.0.1" }, { address: "fd00::2" }]),
    resolveSrv: () => Promise.resolve([{ name: "db1.internal", port: 5433, weight: 0 }]),
  };

  it("takes each address of a host for a node", async () => {
    const clock = new ManualClock();
    const { told, stop } = listen(dnsSource({ name: "db.internal", port: 6000, resolver, clock }));
    await clock.advance(0);
    stop();
    expect(told).toEqual([
      [
        { name: "10.0.0.1:6000", host: "10.0.0.1", port: 6000 },
        { name: "[fd00::2]:6000", host: "fd00::2", port: 6000 },
      ],
    ]);
  });

  it("takes each target of a service for a node", async () => {
    const clock = new ManualClock();
    const { told, stop } = listen(dnsSource({ name: "_postgresql._tcp.db.internal", resolver, clock }));
    await clock.advance(0);
    stop();
    expect(told).toEqual([[{ name: "db1.internal:5433", host: "db1.internal", port: 5433, weight: 1 }]]);
  });

  it("asks the machine's own resolver", async () => {
    const clock = new ManualClock();
    const told = await new Promise<readonly NodeDescription[]>((resolve, reject) => {
      const stop = dnsSource({ name: "localhost", clock }).start({
        nodes: (nodes) => {
          stop();
          resolve(nodes);
        },
        failed: reject,
      });
    });
    expect(told.map(({ name }) => name).join()).toMatch(/127\.0\.0\.1:5432|\[::1\]:5432/);
  });
});

describe("the Patroni source", () => {
  const cluster = {
    members: [
      { name: "n1", role: "leader", state: "running", host: "10.0.0.1", port: 5432, timeline: 2 },
      { name: "n2", role: "replica", state: "streaming", host: "10.0.0.2", port: 5432, lag: 0 },
      { name: "n3", role: "replica", state: "start failed", host: "10.0.0.3", port: 5432, lag: "unknown" },
      { name: "n4", role: "sync_standby", state: "streaming", host: "10.0.0.4", port: 5432 },
      { name: "n5", role: "replica", state: "streaming", host: "10.0.0.5", port: 5432, tags: { noloadbalance: true } },
    ],
  };

  it("asks one member after the other until one answers", async () => {
    const clock = new ManualClock();
    const asked: string[] = [];
    const fetch = (url: string): Promise<Response> => {
      asked.push(url);
      return asked.length === 1 ? Promise.reject(new Error("refused")) : Promise.resolve(Response.json(cluster));
    };
    const { told, stop } = listen(patroniSource({ urls: ["http://a:8008", "http://b:8008/"], fetch, clock }));
    await clock.advance(10);
    stop();
    expect(asked).toEqual(["http://a:8008/cluster", "http://b:8008/cluster"]);
    expect(told[0]?.map(({ name, role, host }) => [name, role, host])).toEqual([
      ["n1", "primary", "10.0.0.1"],
      ["n2", "replica", "10.0.0.2"],
      ["n4", "replica", "10.0.0.4"],
    ]);
  });

  it("says when none answers", async () => {
    const clock = new ManualClock();
    const { failed, stop } = listen(
      patroniSource({ urls: ["http://a"], fetch: () => Promise.resolve(Response.json({ error: 1 })), clock }),
    );
    await clock.advance(10);
    stop();
    expect(failed).toEqual(["http://a/cluster did not answer with members"]);
  });

  it("refuses what is no URL", () => {
    expect(() => patroniSource({ urls: ["nowhere"] })).toThrow(OptionError);
  });
});

describe("the Aurora source", () => {
  it("makes addresses of the instances' names", async () => {
    const clock = new ManualClock();
    const pool = fakePool(() => ({
      rows: [
        { name: "db-a", writer: true },
        { name: "db-b", writer: false },
      ],
    }));
    const { told, stop } = listen(auroraSource({ pool, suffix: ".x.rds.amazonaws.com", clock }));
    await clock.advance(0);
    stop();
    expect(told[0]).toEqual([
      { name: "db-a", host: "db-a.x.rds.amazonaws.com", port: 5432, role: "primary" },
      { name: "db-b", host: "db-b.x.rds.amazonaws.com", port: 5432, role: "replica" },
    ]);
  });
});

describe("a router with a source", () => {
  it("takes its nodes from there: new ones come before old ones go", async () => {
    const clock = new ManualClock();
    const source = fixedSource([node("a", { role: "primary" }), node("b")]);
    const made: string[] = [];
    const seed = fakePool(undefined, "seed");
    const pools = new Map<string, ReturnType<typeof fakePool>>();
    const pool = router({
      primary: seed,
      source,
      connect: ({ name }) => {
        made.push(name);
        const each = fakePool(() => ({ role: "primary" }), `pool of ${name}`);
        pools.set(name, each);
        return each;
      },
      clock,
    });
    const heard: string[] = [];
    pool.events.on("router:node-added", (event) => void heard.push(`+${event.node}`));
    pool.events.on("router:node-removed", (event) => void heard.push(`-${event.node}`));
    expect(made).toEqual([]);
    await pool.execute(fakeCall());
    await clock.advance(0);
    expect(heard).toEqual(["+a", "+b", "-seed"]);
    expect(seed.closed).toBe(true);
    source.set([node("b"), node("c")]);
    await clock.advance(0);
    expect(topologyOf(pool).nodes.map(({ name }) => name)).toEqual(["b", "c"]);
    expect([pools.get("a")?.closed, pools.get("b")?.closed]).toEqual([true, false]);
    await pool.close();
    expect(clock.pending).toBe(0);
    expect([...pools.values()].every(({ closed }) => closed)).toBe(true);
  });
});
