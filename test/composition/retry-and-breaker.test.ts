import { describe, expect, it } from "vitest";
import { CircuitOpenError, compose } from "@breakwater/core";
import { failing, fakeCall, fakePool, ManualClock } from "@breakwater/core/testing";
import { circuitBreaker, retry, retryBudget, timeout } from "@breakwater/policies";

function setUp(maxRetries = 3) {
  const clock = new ManualClock();
  const node = { up: false };
  const inner = fakePool(() => {
    if (!node.up) throw failing({ phase: "connect" });
    return "ok";
  });
  const breaker = circuitBreaker({ clock, trip: { kind: "consecutive", failures: 2 }, breakMs: 1000 });
  const pool = compose(retry({ clock, jitter: "none", maxRetries }), breaker)(inner);
  return { clock, node, inner, breaker, pool };
}

describe("retry around a circuit breaker", () => {
  it("waits until the breaker lets it try, and so bridges a failure that is over by then", async () => {
    const { clock, node, inner, pool } = setUp();
    const call = pool.execute(fakeCall());
    await clock.advance(500);
    // Attempts at 0 and 50 ms failed and opened the circuit; the third, at 150 ms, was refused for 900 ms more.
    expect(inner.calls).toHaveLength(2);
    node.up = true;
    await clock.advance(749);
    expect(inner.calls).toHaveLength(2);
    await clock.advance(1);
    expect(await call).toBe("ok");
    expect(inner.calls).toHaveLength(3);
  });

  it("gives up at once when the deadline comes before the breaker lets it try", async () => {
    const { clock, inner, pool } = setUp();
    const ended = pool.execute(fakeCall({ deadline: 1000 })).catch((error: unknown) => ({ error, atMs: clock.now() }));
    await clock.advance(60_000);
    expect(await ended).toMatchObject({ error: { retryAfterMs: 900, code: "ERR_BREAKWATER_CIRCUIT_OPEN" }, atMs: 150 });
    expect(inner.calls).toHaveLength(2);
  });

  it("never sends a call to an open circuit, however many ask", async () => {
    const { clock, inner, breaker, pool } = setUp();
    const calls = Array.from({ length: 50 }, () => pool.execute(fakeCall()).catch((error: unknown) => error));
    await clock.advance(60_000);
    const errors = await Promise.all(calls);
    expect(errors.filter((error) => error instanceof CircuitOpenError).length).toBeGreaterThan(0);
    expect(breaker.state("fake")).not.toBe("closed");
    // All 50 began while it was closed. From then on one trial in each break.
    expect(inner.calls.length).toBeLessThanOrEqual(50 + Math.ceil(clock.now() / 1000));
  });

  it("is not delayed by a break once a probe has found the node alive", async () => {
    const { clock, node, breaker, pool } = setUp();
    const opening = pool.execute(fakeCall()).catch((error: unknown) => error);
    await clock.advance(60);
    expect(breaker.state("fake")).toBe("open");
    node.up = true;
    await pool.execute(fakeCall({ purpose: "probe" }));
    expect(await pool.execute(fakeCall())).toBe("ok");
    await clock.advance(100);
    expect(await opening).toBe("ok");
  });

  it("bounds all attempts by the timeout outside, and each by the one inside", async () => {
    const clock = new ManualClock();
    const deadlines: number[] = [];
    const inner = fakePool((operation) => {
      deadlines.push(operation.deadline - clock.now());
      throw failing();
    });
    const stack = compose(
      timeout({ limitMs: 400, clock }),
      retry({ clock, jitter: "none", maxRetries: 9 }),
      timeout({ limitMs: 300, clock }),
    );
    const ended = stack(inner)
      .execute(fakeCall())
      .catch(() => clock.now());
    await clock.advance(60_000);
    // Attempts at 0, 50, 150 and 350 ms; the next would be at 750.
    expect(deadlines).toEqual([300, 300, 250, 50]);
    expect(await ended).toBe(350);
  });
});

describe("retry under a budget", () => {
  it.each([
    { budget: "its own", options: {}, most: 1.2, least: 1.1 },
    { budget: "none", options: { budget: false }, most: 4, least: 3.9 },
  ] as const)("100 clients, 30 s of failures: sends $most times what was offered at most with $budget", async (row) => {
    const clock = new ManualClock();
    const inner = fakePool(() => {
      throw failing({ phase: "connect" });
    });
    const pool = retry({ clock, maxRetries: 3, ...row.options })(inner);
    let offered = 0;
    const client = async (start: number): Promise<void> => {
      await pause(clock, start * 5);
      while (clock.now() < 30_000) {
        offered++;
        await pool.execute(fakeCall()).catch(() => undefined);
        await pause(clock, 500);
      }
    };
    const clients = Array.from({ length: 100 }, (_each, index) => client(index));
    await clock.advance(40_000);
    await Promise.all(clients);
    expect(offered).toBeGreaterThan(3000);
    expect(inner.calls.length / offered).toBeLessThanOrEqual(row.most);
    expect(inner.calls.length / offered).toBeGreaterThan(row.least);
    expect(clock.pending).toBe(0);
  });

  it("leaves a single caller all its retries", async () => {
    const clock = new ManualClock();
    const inner = fakePool(() => {
      throw failing({ phase: "connect" });
    });
    const pool = retry({ clock })(inner);
    for (let call = 0; call < 10; call++) {
      const failed = pool.execute(fakeCall()).catch(() => undefined);
      await clock.advance(1000);
      await failed;
    }
    expect(inner.calls).toHaveLength(10 * 4);
  });

  it("may be shared by several pools", async () => {
    const clock = new ManualClock();
    const policy = retry({ clock, budget: retryBudget({ clock, minPerWindow: 4 }) });
    const nodes = ["a", "b"].map((name) =>
      fakePool(() => {
        throw failing();
      }, name),
    );
    const failed = nodes.map((node) =>
      policy(node)
        .execute(fakeCall())
        .catch(() => undefined),
    );
    await clock.advance(10_000);
    await Promise.all(failed);
    expect(nodes.reduce((sum, node) => sum + node.calls.length, 0)).toBe(2 + 4);
  });
});

function pause(clock: ManualClock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(ms, resolve));
}
