/**
 * The suite: what the shop promises its customers, while its database is in trouble. Every test has a cluster, faults and a
 * history of its own; in the end the history is judged by what the database holds.
 */
import type { ClusterNode, FinalState, History } from "@breakwater/chaos";
import { describe, expect } from "vitest";
import { shopTest, type Visit } from "./shop-test.ts";

describe("the shop", () => {
  shopTest("keeps every order through a failover", async ({ cluster, history, shop }) => {
    const done = acknowledged(history);
    let enough = false;
    const visits = shop.visitedBy(8, ordering(history), () => enough);
    await expect.poll(done, WAIT).toBeGreaterThan(50);
    const next = await cluster.failover({ kill: "kill" });
    const before = done();
    await expect.poll(done, WAIT).toBeGreaterThan(before + 50);
    enough = true;
    await visits;
    expect(history).toBeExactlyOnce(await ordersIn(next));
    expect(history).toLeaveNothingBehind();
    expect(history.counts()).toMatchObject({ fail: 0 });
  });

  shopTest("doubles no order when answers are lost", async ({ cluster, faults, history, shop }) => {
    let enough = false;
    const visits = shop.visitedBy(8, ordering(history), () => enough);
    // The server does it, the service never hears: each time for the third COMMIT from then on.
    const lost = faults.wire(cluster.primary).dropCommitReply({ nth: 3, times: 20 });
    await lost.reached(20);
    enough = true;
    await visits;
    expect(history).toBeExactlyOnce(await ordersIn(cluster.primary));
    expect(history.counts()).toMatchObject({ fail: 0, unknown: 0 });
  });

  shopTest("shows customers their own address, whichever they ask", async ({ cluster, faults, history, shop }) => {
    const paused = await faults.server(cluster.node("n2")).pauseReplay();
    const done = acknowledged(history);
    const moving: Visit = async (customer, name, n) => {
      const session = history.session(name);
      const address = `${name}, house ${n}`;
      await session.set(name, address, () => customer.moveTo(name, address));
      await session.read(name, () => customer.address(name));
    };
    await shop.visitedBy(8, moving, () => done() >= 300);
    await paused.off();
    expect(history).toKeepSessions();
    expect(history.counts()).toMatchObject({ fail: 0, unknown: 0 });
  });
});

/** Waits for what the customers do; how long that may take is no matter of the test. */
const WAIT = { timeout: 20_000, interval: 20 };

/** A round in which the customer orders a book or a lamp. */
function ordering(history: History): Visit {
  return (customer, name, n) => {
    const id = `${name}-${n}`;
    return history.session(name).write(id, () => customer.order(id, n % 2 === 0 ? "book" : "lamp"));
  };
}

function acknowledged(history: History): () => number {
  return () => history.counts().ok;
}

/** What the database holds in the end. */
async function ordersIn(node: ClusterNode): Promise<FinalState> {
  const rows = await node.query<{ id: string; copies: number }>(
    "SELECT id, count(*)::int AS copies FROM orders GROUP BY id",
  );
  const stock = await node.query<{ right: boolean }>(
    `SELECT sold = (SELECT count(*) FROM orders o WHERE o.item = s.item) AS right FROM stock s`,
  );
  expect(stock).toEqual([{ right: true }, { right: true }]);
  return { writes: Object.fromEntries(rows.map(({ id, copies }) => [id, copies])) };
}
