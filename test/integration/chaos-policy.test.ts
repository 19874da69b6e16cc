/**
 * The faults of `chaos()` in the whole stack, against a real server: what the layers above make of them, and what the server
 * has afterwards.
 */
import { type Cluster, Faults, startCluster } from "@breakwater/chaos";
import { chaos } from "@breakwater/policies";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { closeStacks, noConnectionLeft, resolutions, stackOn } from "../support/database.ts";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ replicas: 1 });
});
afterAll(() => cluster?.close());
beforeEach(async () => {
  await cluster.primary.query("CREATE TABLE orders (id int)");
});
afterEach(async () => {
  await closeStacks();
  await cluster.primary.query("DROP TABLE orders");
});

async function ids(): Promise<number[]> {
  const rows = await cluster.primary.query<{ id: number }>("SELECT id FROM orders ORDER BY id");
  return rows.map(({ id }) => id);
}

describe("chaos() in the stack", () => {
  it("loses the answer to COMMIT, which commit resolution then proves to be there", async () => {
    const policy = chaos();
    const db = stackOn(cluster, { nodePolicies: [policy] });
    const told = resolutions(db);
    await using faults = new Faults({ cluster });
    const fault = faults.policy(policy, { fault: "lost-reply", kind: "transaction", times: 1 });
    const value = await db.transaction(async (tx) => {
      await tx.query("INSERT INTO orders VALUES (1)");
      return "done";
    });
    expect([value, await ids(), fault.hits]).toEqual(["done", [1], 1]);
    expect(told).toMatchObject([{ outcome: "committed", by: "status" }]);
    expect(faults.record()).toMatchObject([{ level: "policy", name: "lost-reply", hits: 1 }]);
    expect(fault.endedMs).toBeTypeOf("number");
    await db.close();
    await noConnectionLeft(cluster);
  });

  it("loses the answer to a write on its own, which exactlyOnce proves and nobody repeats otherwise", async () => {
    const policy = chaos();
    const db = stackOn(cluster, { nodePolicies: [policy] });
    policy.inject({ fault: "lost-reply", access: "write", times: 2 });
    await db.query("INSERT INTO orders VALUES (1)", [], { exactlyOnce: true });
    await expect(db.query("INSERT INTO orders VALUES (2)")).rejects.toMatchObject({
      code: "ERR_BREAKWATER_OUTCOME_UNKNOWN",
    });
    expect(await ids()).toEqual([1, 2]);
  });

  it("breaks the connection at COMMIT, which was not kept: the transaction is run again", async () => {
    const policy = chaos();
    const db = stackOn(cluster, { nodePolicies: [policy] });
    const told = resolutions(db);
    policy.inject({ fault: "error", phase: "committing", times: 1 });
    const attempts: number[] = [];
    await db.transaction(async (tx) => {
      attempts.push(tx.attempt);
      await tx.query("INSERT INTO orders VALUES (1)");
    });
    expect([attempts, await ids()]).toEqual([[1, 2], [1]]);
    expect(told).toMatchObject([{ outcome: "rolled-back" }]);
  });

  it("says 40001 at COMMIT, and the transaction is run again", async () => {
    const policy = chaos();
    const db = stackOn(cluster, { nodePolicies: [policy] });
    policy.inject({ fault: "error", phase: "committing", sqlstate: "40001", times: 2 });
    await db.transaction((tx) => tx.query("INSERT INTO orders VALUES (1)"));
    expect(await ids()).toEqual([1]);
  });

  it("refuses and breaks connections before anything is sent, and every write is done once", async () => {
    const policy = chaos();
    const db = stackOn(cluster, { nodePolicies: [policy], circuitBreaker: false });
    const wanted: number[] = [];
    for (const fault of [
      { fault: "error", phase: "connect" },
      { fault: "error", sqlstate: "53300" },
      { fault: "error", phase: "unsent" },
      { fault: "refused-acquire" },
    ] as const) {
      const on = policy.inject({ ...fault, times: 1 });
      const id = wanted.push(wanted.length);
      await db.query("INSERT INTO orders VALUES ($1)", [id - 1]);
      expect(on.hits).toBe(1);
    }
    expect(await ids()).toEqual(wanted);
  });

  it("breaks the reads of one node alone, and they go elsewhere unnoticed", async () => {
    const policy = chaos();
    const db = stackOn(cluster, { nodePolicies: [policy] });
    const node = new RegExp(`:${cluster.replicas[0]?.port}`);
    const fault = policy.inject({ fault: "error", access: "read", node, phase: "running" });
    const found = await db.query("SELECT 1 AS one", [], { consistency: "eventual" });
    expect(found.rows).toEqual([{ one: 1 }]);
    expect(fault.hits).toBeGreaterThan(0);
  });
});
