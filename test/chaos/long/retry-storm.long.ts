import { breakwater } from "breakwater";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { type RefusingServer, refusingServer } from "../../support/refusing.ts";
import { report } from "../../support/report.ts";

const CLIENTS = 100;
const LASTS_MS = Number(process.env["BREAKWATER_STORM_MS"] ?? 30_000);

/** Clients that call again as soon as they have been told, for as long as the storm lasts. */
async function storm(servers: readonly RefusingServer[], call: () => Promise<unknown>): Promise<number> {
  const before = servers.reduce((sum, { refused }) => sum + refused, 0);
  const end = performance.now() + LASTS_MS;
  let offered = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      offered += 1;
      await call().catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const sent = servers.reduce((sum, { refused }) => sum + refused, 0) - before;
  report(`${CLIENTS} clients, ${LASTS_MS} ms`, { offered, sent, ratio: sent / offered });
  return sent / offered;
}

describe("a retry storm", () => {
  it("does not happen: what reaches the servers is at most 1.2 times what is offered", async () => {
    const servers = await Promise.all([refusingServer(), refusingServer(), refusingServer()]);
    const [primary, ...replicas] = servers.map(({ port }) => ({ host: "127.0.0.1", port, user: "postgres" }));
    const db = breakwater({ primary: primary!, replicas, timeoutMs: 1_000 });
    let turn = 0;
    const own = await storm(servers, () => db.query(turn++ % 2 === 0 ? "SELECT 1" : "INSERT INTO work VALUES (1)"));
    await db.close();

    const bare = new pg.Pool(primary);
    const threefold = await storm(servers, async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await bare.query("SELECT 1");
        } catch (error) {
          if (attempt > 3) throw error;
        }
      }
    });
    await bare.end();
    await Promise.all(servers.map((server) => server.close()));
    expect(own).toBeLessThanOrEqual(1.2);
    expect(threefold).toBeGreaterThan(3.9);
  });
});
