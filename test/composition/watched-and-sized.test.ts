import { compose, database, driverPool, type EventMap } from "@breakwater/core";
import { fakeDialect, fakeDriver, fakePool, ManualClock } from "@breakwater/core/testing";
import { autosize, leakWatch, retry, router, timeout } from "@breakwater/policies";
import { describe, expect, it } from "vitest";

/** The watch outermost, then a limit, retries, a router, and two nodes that are sized. */
function stack() {
  const clock = new ManualClock(1_000);
  const node = (name: string) => {
    const driver = fakeDriver(() => undefined, 4);
    let max = 4;
    Object.defineProperty(driver, "max", { get: () => max });
    driver.resize = (_min: number, to: number) => (max = to);
    return {
      driver,
      pool: autosize({ min: 1, max: 6, shrinkAfterMs: 200, clock })(driverPool(driver, fakeDialect, { name, clock })),
    };
  };
  const [primary, replica] = [node("primary"), node("replica")];
  const nodes = router({ primary: primary.pool, replicas: [replica.pool], clock });
  const outer = compose(
    leakWatch({ maxHeldMs: 100, forceReturnAfterMs: 300, clock }),
    timeout({ limitMs: 5_000, clock }),
    retry({ clock }),
  );
  const db = database(outer(nodes), { clock });
  return { clock, primary, db };
}

describe("leakWatch and autosize in a stack", () => {
  it("take a connection back from its holder once, and nobody runs that work again", async () => {
    const { clock, primary, db } = stack();
    const returned: EventMap["leak-watch:returned"][] = [];
    db.on("leak-watch:returned", (event) => returned.push(event));
    let runs = 0;
    const call = db.transaction(() => {
      runs += 1;
      return new Promise(() => undefined);
    });
    const held = db.connect();
    call.catch(() => undefined);
    await clock.advance(400);
    await expect(call).rejects.toMatchObject({ code: "ERR_BREAKWATER_HELD_TOO_LONG" });
    await expect((await held).query("INSERT")).rejects.toMatchObject({ code: "ERR_BREAKWATER_HELD_TOO_LONG" });
    await clock.advance(10_000);
    expect([runs, returned.length]).toEqual([1, 2]);
    expect(primary.driver.counts().total).toBe(0);
    expect(db.stats()).toMatchObject({ active: 0, metrics: { errors: { connection: 0, timeout: 0 } } });
    await db.close();
    expect(clock.pending).toBe(0);
  });
});

describe("a new size", () => {
  it("reaches every pool of a stack, or is refused before any has changed", () => {
    const sizes: number[] = [];
    const sized = (name: string) => {
      const driver = fakeDriver(() => undefined, 4);
      driver.resize = (_min: number, to: number) => void sizes.push(to);
      return driverPool(driver, fakeDialect, { name });
    };
    const around = compose(timeout({ limitMs: 50 }), retry());
    database(around(router({ primary: sized("a"), replicas: [timeout({ limitMs: 50 })(sized("b"))] }))).resize({
      max: 7,
    });
    expect(sizes).toEqual([7, 7]);
    const usage = expect.objectContaining({ code: "ERR_BREAKWATER_USAGE" }) as unknown;
    for (const pool of [
      fakePool(),
      around(fakePool()),
      around(router({ primary: sized("a"), replicas: [fakePool()] })),
      router({ primary: sized("a"), replicas: [timeout({ limitMs: 50 })(fakePool())] }),
    ]) {
      expect(thrown(() => database(pool).resize({ max: 9 }))).toEqual(usage);
    }
    expect(sizes).toEqual([7, 7]);
    expect(thrown(() => autosize({ max: 5 })(around(fakePool())))).toEqual(usage);
  });
});

function thrown(run: () => void): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}
