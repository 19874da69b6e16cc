import { type Dialect, type NodeState, type Operation, type Pool, type Reached } from "@breakwater/core";
import { fakeDialect, fakePool, ManualClock } from "@breakwater/core/testing";
import { describe, expect, it } from "vitest";
import type { RouterNode } from "./node.ts";
import { canWait, PositionWait } from "./position-wait.ts";

/** What a server was asked to wait for, and how it answers. */
interface Asked {
  readonly position: bigint;
  readonly waitMs: number;
  answer(position: bigint, waited?: boolean): Promise<void>;
  fail(): Promise<void>;
}

const at = (position: bigint): NodeState => ({ role: "replica", systemId: undefined, timeline: 1, position });
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(): {
  clock: ManualClock;
  node: RouterNode;
  wait: PositionWait;
  asked: Asked[];
  calls: Operation<unknown>[];
} {
  const clock = new ManualClock();
  const asked: Asked[] = [];
  const calls: Operation<unknown>[] = [];
  const dialect: Dialect = {
    ...fakeDialect,
    reach: (_, position, waitMs) => {
      const { promise, resolve, reject } = Promise.withResolvers<Reached>();
      asked.push({
        position,
        waitMs,
        answer: async (now, waited = true) => {
          resolve({ state: at(now), waited });
          await settled();
        },
        fail: async () => {
          reject(new Error("planted"));
          await settled();
        },
      });
      return promise;
    },
  };
  const inner = fakePool((operation) => {
    calls.push(operation);
    return operation.run(undefined as never, 1);
  });
  const pool: Pool = { ...inner, dialect };
  const node = { pool, observed: at(1n) } as unknown as RouterNode;
  return { clock, node, wait: new PositionWait(node, clock), asked, calls };
}

describe("PositionWait", () => {
  it("lets the server wait for whoever wants the least, and tells all who have it", async () => {
    const { wait, asked, node, clock } = setUp();
    const told: string[] = [];
    const want = (name: string, position: bigint): void =>
      void wait.reach(position, clock.now() + 100).then((state) => told.push(`${name} ${state?.position}`));
    want("first", 10n);
    await settled();
    want("far", 30n);
    want("near", 20n);
    want("little", 15n);
    await settled();
    expect(asked.map(({ position }) => position)).toEqual([10n]);
    await asked.at(0)?.answer(15n);
    expect(told).toEqual(["first 15", "little 15"]);
    expect(node.observed).toEqual(at(15n));
    expect(asked.map(({ position }) => position)).toEqual([10n, 20n]);
    await asked.at(1)?.answer(20n);
    expect(asked.map(({ position }) => position)).toEqual([10n, 20n, 30n]);
    await asked.at(2)?.answer(31n);
    expect(told).toEqual(["first 15", "little 15", "near 20", "far 31"]);
    expect(asked).toHaveLength(3);
  });

  it("waits a slice at a time until the reader's time is over, on a connection of its own", async () => {
    const { wait, asked, calls, clock } = setUp();
    const told = wait.reach(10n, clock.now() + 40);
    await settled();
    expect(asked[0]).toMatchObject({ position: 10n, waitMs: 25 });
    await clock.advance(25);
    await asked.at(0)?.answer(5n);
    expect(asked[1]).toMatchObject({ position: 10n, waitMs: 15 });
    await clock.advance(15);
    await asked.at(1)?.answer(6n);
    expect(await told).toEqual(at(6n));
    expect(asked).toHaveLength(2);
    expect(calls.map(({ kind, purpose }) => [kind, purpose])).toEqual([
      ["session", "probe"],
      ["session", "probe"],
    ]);
  });

  it("tells at once what it knows where the server does not wait, or says nothing, and asks again for the next", async () => {
    const { wait, asked, clock } = setUp();
    const hasty = [wait.reach(10n, clock.now() + 40), wait.reach(20n, clock.now() + 40)];
    await settled();
    await asked.at(0)?.answer(5n, false);
    expect(await Promise.all(hasty)).toEqual([at(5n), at(5n)]);
    const lost = wait.reach(10n, clock.now() + 40);
    await settled();
    await asked.at(1)?.fail();
    expect(await lost).toBeUndefined();
    const next = wait.reach(10n, clock.now() + 40);
    await settled();
    await asked.at(2)?.answer(10n);
    expect(await next).toEqual(at(10n));
    expect(asked).toHaveLength(3);
  });

  it("is for replicas of databases whose servers wait", () => {
    const { node } = setUp();
    expect(canWait(node)).toBe(true);
    node.observed = { ...at(1n), role: "primary" };
    expect(canWait(node)).toBe(false);
    node.observed = undefined;
    expect(canWait(node)).toBe(false);
    expect(canWait({ pool: fakePool(), observed: at(1n) } as unknown as RouterNode)).toBe(false);
  });
});
