import { Client } from "pg";
import { describe, expect } from "vitest";
import { append } from "../history/testing/draft.ts";
import { chaosTest } from "./index.ts";

const small = chaosTest.extend({ clusterOptions: { replicas: 0 } });

describe("chaosTest", () => {
  small("gives a cluster, a history and a seed", async ({ cluster, history, seed }) => {
    expect(seed).toBeGreaterThanOrEqual(0);
    const { primary } = cluster;
    await primary.query("CREATE TABLE orders (id text)");
    const alice = history.session("alice");
    await alice.write("a", () => primary.query("INSERT INTO orders VALUES ($1)", ["a"]));
    await alice.write("b", () => primary.query("INSERT INTO nowhere VALUES ($1)", ["b"])).catch(() => {});
    const rows = await primary.query<{ id: string; n: number }>(
      "SELECT id, count(*)::int AS n FROM orders GROUP BY id",
    );
    const writes = Object.fromEntries(rows.map(({ id, n }) => [id, n]));
    expect(writes).toEqual({ a: 1 });
    expect(history).toBeExactlyOnce({ writes });
    expect(history).toPassAllChecks({ finalState: { writes } });
  });

  small("gives faults of that cluster", async ({ cluster, faults }) => {
    const refused = faults.wire(cluster.primary).refuse({ mode: { sqlstate: "53300", message: "full" } });
    const client = new Client(cluster.primary.connectionString);
    await expect(client.connect()).rejects.toMatchObject({ code: "53300" });
    const killed = await faults.server(cluster.primary).kill();
    expect(faults.record()).toMatchObject([
      { level: "wire", name: "refuse", target: "n1", hits: 1 },
      { level: "cluster", name: "kill", target: "n1", hits: 1 },
    ]);
    await faults.off();
    expect([refused.endedMs, killed.endedMs].map((at) => typeof at)).toEqual(["number", "number"]);
    expect(cluster.primary.state).toBe("running");
  });

  const synchronous = chaosTest.extend({ clusterOptions: { synchronous: true, replicas: 1 } });

  synchronous("lets an order survive failover", async ({ cluster, history }) => {
    const alice = history.session("alice");
    await cluster.primary.query("CREATE TABLE orders (id text)");
    await alice.write("order-1", () => cluster.primary.query("INSERT INTO orders VALUES ('order-1')"));
    const next = await cluster.failover({ kill: "kill" });
    const rows = await next.query<{ id: string; copies: number }>(
      "SELECT id, count(*)::int AS copies FROM orders GROUP BY id",
    );
    expect(history).toBeExactlyOnce({ writes: Object.fromEntries(rows.map(({ id, copies }) => [id, copies])) });
    expect(history).toLeaveNothingBehind();
  });

  chaosTest("starts nothing that a test does not name", ({ history }) => {
    expect(history.operations).toEqual([]);
    expect(history).toLeaveNothingBehind();
  });
});

describe("matchers", () => {
  chaosTest("tell each promise that was broken", async ({ history }) => {
    const alice = history.session("alice");
    await alice.write("a", async () => {});
    await alice.read("a", async () => null);
    for (const element of [1, 2]) {
      await history
        .session(`bob-${element}`)
        .transaction([{ do: "read", list: "l" }, append("l", element)], async () => [[]]);
    }
    await alice.acquire(String, async () => "first");
    expect(() => expect(history).toBeExactlyOnce({ writes: {}, lists: { l: [1, 2] } })).toThrow(
      'lost-write: row "a" was acknowledged and is not there: #0 alice write "a" (ok)',
    );
    expect(() => expect(history).toBeExactlyOnce({ writes: { a: 1 } })).toThrow("the final state has no lists");
    expect(() => expect(history).toKeepSessions()).toThrow("read-your-writes: register");
    expect(() => expect(history).toBeIsolated()).toThrow("lost-update: list");
    expect(() => expect(history).toLeaveNothingBehind()).toThrow("connection-leak: connection");
    expect(() => expect(history).toPassAllChecks()).toThrow("5 ok, 0 failed, 0 unknown, 0 pending");
    expect(history).toBeIsolated({ isolation: "read-committed" });
    expect(history).not.toPassAllChecks();
    expect(() => expect("nothing").toPassAllChecks()).toThrow("for a History");
  });
});
