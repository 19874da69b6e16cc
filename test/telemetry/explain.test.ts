import {
  compose,
  database,
  type Database,
  type Dialect,
  driverPool,
  explainText,
  failureOf,
  type NodeState,
  type Pool,
} from "@breakwater/core";
import { failing, fakeDialect, type FakeDriver, fakeDriver } from "@breakwater/core/testing";
import {
  bulkhead,
  type CircuitBreaker,
  circuitBreaker,
  retry,
  router,
  type RouterOptions,
  timeout,
} from "@breakwater/policies";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../support/wait.ts";

/** A server: what it says of itself, and what becomes of its callers' statements. */
interface Server {
  readonly name: string;
  readonly driver: FakeDriver;
  readonly pool: Pool;
  state: NodeState;
  trouble: Error | undefined;
}

const dialect: Dialect = {
  ...fakeDialect,
  judge: (error) => failureOf(error),
  probe: async (connection) => (await connection.query<NodeState>({ text: "PROBE" })).rows[0]!,
};

function server(name: string, role: "primary" | "replica", position = 100n): Server {
  const driver = fakeDriver(async ({ text }) => {
    if (text === "PROBE") return { rows: [one.state], rowCount: 1, command: "SELECT", fields: [] };
    if (one.trouble !== undefined) throw one.trouble;
    return { rows: [{ from: name }], rowCount: 1, command: "SELECT", fields: [] };
  }, 4);
  const one: Server = {
    name,
    driver,
    pool: driverPool(driver, dialect, { name }),
    state: { role, systemId: undefined, timeline: 1, position },
    trouble: undefined,
  };
  return one;
}

const opened = new Set<Database>();
afterEach(async () => {
  await Promise.all([...opened].map((db) => db.close({ drainMs: 0 })));
  opened.clear();
});

let breaker: CircuitBreaker;

async function stack(primary: Server, replicas: Server[], options: Partial<RouterOptions> = {}): Promise<Database> {
  breaker = circuitBreaker();
  const around = ({ pool }: Server): Pool => compose(breaker, bulkhead())(pool);
  const nodes = router({
    primary: around(primary),
    replicas: replicas.map(around),
    freshnessWaitMs: 5,
    ejection: false,
    ...options,
  });
  const db = database(compose(timeout({ limitMs: 5_000 }), retry({ initialDelayMs: 1, maxRetries: 2 }))(nodes));
  opened.add(db);
  await db.query("SELECT 1");
  await until("all nodes to have answered", () => db.stats().nodes.every(({ state }) => state === "up"));
  return db;
}

interface Sent {
  readonly node: string;
  readonly reason: string;
  readonly why: string;
  readonly needs: string | undefined;
  readonly nodes: readonly { readonly name: string; readonly against: readonly string[]; readonly circuit: string }[];
}

/** The record of one call, and where it was sent. */
async function record(
  db: Database,
  call: (db: Database) => Promise<unknown>,
): Promise<{
  readonly sent: readonly Sent[];
  readonly text: string;
  readonly record: Awaited<ReturnType<Database["explain"]>>["calls"][number];
}> {
  const { calls } = await db.explain(call);
  const [one] = calls;
  if (one === undefined) throw new Error("no call was recorded");
  const sent = one.notes
    .filter(({ what }) => what === "sent to a node")
    .map(({ details }) => details as unknown as Sent);
  return { record: one, sent, text: explainText(one) };
}

describe("db.explain of a routed call", () => {
  it("tells the layers in order, the node and why it", async () => {
    const db = await stack(server("p", "primary"), [server("r1", "replica"), server("r2", "replica")]);
    const { record: one, sent } = await record(db, (on) => on.query("SELECT 1"));
    expect(one.layers).toEqual(["timeout", "retry", "router", "circuit-breaker", "bulkhead"]);
    expect(one.passes.map(({ layer }) => layer)).toEqual(["timeout", "retry", "circuit-breaker", "bulkhead"]);
    expect(one.outcome).toEqual({ status: "ok" });
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ reason: "balanced", nodes: [{ name: "p" }, { name: "r1" }, { name: "r2" }] });
    expect(one.nodes).toEqual([sent[0]?.node]);
    const write = await record(db, (on) => on.query("INSERT 1"));
    expect(write.sent[0]).toMatchObject({ node: "p", reason: "write" });
    const strong = await record(db, (on) => on.query("SELECT 1", [], { consistency: "strong" }));
    expect(strong.sent[0]).toMatchObject({ node: "p", reason: "strong" });
    const ruled = await record(
      await stack(server("p", "primary"), [server("r", "replica")], { rules: [{ label: "report", to: "r" }] }),
      (on) => on.query("SELECT 1", [], { label: "report" }),
    );
    expect(ruled.sent[0]).toMatchObject({ node: "r", reason: "rule" });
    expect(ruled.text).toContain("rule 0");
  });

  it("tells the token that a session needs, who has it, and the wait for it", async () => {
    const [primary, behind, fresh] = [server("p", "primary"), server("r1", "replica", 50n), server("r2", "replica")];
    const db = await stack(primary, [behind, fresh]);
    await db.query("INSERT 1");
    const found = await record(db, (on) => on.query("SELECT 1"));
    expect(found.sent[0]).toMatchObject({ node: "r2", reason: "fresh", needs: "timeline 1, position 100" });
    const standings = Object.fromEntries(found.sent[0]!.nodes.map(({ name, against }) => [name, against]));
    expect(standings).toEqual({ p: [], r1: ["behind the session"], r2: [] });
    // Now nobody but the primary has it.
    fresh.state = { ...fresh.state, position: 60n };
    primary.state = { ...primary.state, position: 200n };
    await db.query("INSERT 1");
    const alone = await record(db, (on) => on.query("SELECT 1"));
    expect(alone.sent[0]).toMatchObject({ node: "p", reason: "no-replica-fresh", needs: "timeline 1, position 200" });
    expect(alone.record.times.freshness).toBeGreaterThan(0);
    expect(alone.text).toContain("waits for freshness");
  });

  it("tells each node that failed it, the open circuit, the pauses and the budget, and how it ended", async () => {
    const [primary, replica] = [server("p", "primary"), server("r", "replica")];
    const db = await stack(primary, [replica], { failoverWaitMs: 50 });
    const error = failing({ retry: "same-node", blames: "load", connection: "keep", reason: "too busy" });
    primary.trouble = error;
    const { record: one, sent, text } = await record(db, (on) => on.query("SELECT 1", [], { consistency: "strong" }));
    expect(one.outcome).toMatchObject({ status: "failed", reason: expect.any(String) as string });
    expect(one.attempts).toBeGreaterThan(1);
    expect(sent.map(({ node }) => node)).toContain("p");
    expect(one.times.backoff).toBeGreaterThan(0);
    const notes = one.notes.map(({ layer, what }) => `${layer}: ${what}`);
    expect(notes).toContain("retry: runs it again");
    expect(notes).toContain("retry: gives up");
    expect(one.notes.find(({ what }) => what === "runs it again")?.details).toMatchObject({
      attempt: 2,
      why: "too busy",
      budgetLeft: expect.any(Number) as number,
    });
    expect(text).toContain("nodes (name p, role primary, circuit closed");
  });

  it("tells of a circuit that refuses it, and of the node that it waited for", async () => {
    const [primary, replica] = [server("p", "primary"), server("r", "replica")];
    const db = await stack(primary, [replica], { failoverWaitMs: 20 });
    const lift = breaker.isolate("p");
    const { record: one } = await record(db, (on) => on.query("SELECT 1", [], { consistency: "strong" }));
    lift();
    const refused = one.notes.find(({ layer }) => layer === "circuit-breaker");
    expect(refused).toMatchObject({ what: "refuses it", details: { pool: "p", state: "isolated" } });
    const standing = one.notes.find(({ what }) => what === "sent to a node")?.details as unknown as Sent;
    expect(standing.nodes[0]).toMatchObject({ name: "p", circuit: "isolated" });
    expect(one.outcome).toMatchObject({ status: "failed" });
  });

  it("tells where a read went on when a replica failed it", async () => {
    const [primary, replica] = [server("p", "primary"), server("r", "replica")];
    const db = await stack(primary, [replica]);
    replica.trouble = failing({ retry: "other-node", blames: "node", connection: "keep", reason: "it crashed" });
    const { record: one, text } = await record(db, (on) => on.query("SELECT 1", [], { consistency: "eventual" }));
    expect(one.outcome).toEqual({ status: "ok" });
    expect(one.nodes).toEqual(["r", "p"]);
    expect(text).toContain("router: goes on elsewhere, node r, why it crashed");
  });

  it("shows no parameter and no message of a driver", async () => {
    const [primary, replica] = [server("p", "primary"), server("r", "replica")];
    const db = await stack(primary, [replica]);
    const driver = Object.assign(new Error("bad value hunter2"), { code: "22P02", detail: "hunter2" });
    primary.trouble = failing({ retry: "never", blames: "statement", connection: "keep" }, driver);
    const { record: one, text } = await record(db, (on) => on.query("INSERT hunter2", ["hunter2"]));
    expect(one.outcome).toMatchObject({ code: "22P02" });
    expect(JSON.stringify(one) + text).not.toContain("hunter2");
  });
});
