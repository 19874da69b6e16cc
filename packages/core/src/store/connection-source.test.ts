import { describe, expect, it } from "vitest";
import { driverPool } from "../call/adapter.ts";
import { operationContext, queryOperation } from "../contract/operation.ts";
import type { Pool } from "../contract/pool.ts";
import { fakeDialect, type FakeDriver, fakeDriver } from "../testing/index.ts";

/** A pool whose connections are not open before they are let through. */
function scene(): { readonly pool: Pool; readonly driver: FakeDriver; readonly letThrough: () => void } {
  const driver = fakeDriver();
  const gate = Promise.withResolvers<void>();
  driver.connecting = () => gate.promise;
  return { pool: driverPool(driver, fakeDialect, { name: "p" }), driver, letThrough: gate.resolve };
}

const call = (pool: Pool, purpose: "call" | "probe"): Promise<unknown> =>
  pool.execute({ ...queryOperation({ text: "SELECT 1" }, operationContext("read")), purpose });

describe("a probe that waits for its connection", () => {
  it.each(["reads", "waiting", "all"] as const)(
    "is not sent back with %s: it finds out whether the node answers",
    async (whom) => {
      const { pool, letThrough } = scene();
      const [probe, other] = [call(pool, "probe"), call(pool, "call")];
      pool.interrupt(new Error("the node does not answer"), whom);
      await expect(other).rejects.toMatchObject({ code: "ERR_BREAKWATER_NODE_LOST" });
      letThrough();
      await expect(probe).resolves.toMatchObject({ command: "SELECT 1" });
      await pool.close();
    },
  );

  it("ends with its pool", async () => {
    const { pool, letThrough } = scene();
    const probe = call(pool, "probe");
    const closed = pool.close();
    await expect(probe).rejects.toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
    letThrough();
    await closed;
  });
});
