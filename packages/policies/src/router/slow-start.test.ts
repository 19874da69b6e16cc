import { describe, expect, it } from "vitest";
import { ManualClock } from "@breakwater/core/testing";
import { SlowStart } from "./slow-start.ts";

function setUp(max = 10) {
  const clock = new ManualClock();
  let opened = 0;
  const gate = new SlowStart(clock, max, () => (opened += 1));
  const waits = { clock, limit: Number.POSITIVE_INFINITY, signal: undefined, onLimit: () => new Error("too late") };
  const entered: boolean[] = [];
  const come = (limit = waits.limit, signal?: AbortSignal): Promise<void> =>
    gate.enter({ ...waits, limit, signal }).then((through) => void entered.push(through));
  return { clock, gate, entered, come, opened: () => opened };
}

describe("slow start", () => {
  it("lets nobody through before it begins", async () => {
    const { clock, gate, entered, come } = setUp();
    void come();
    await clock.advance(5000);
    expect(entered).toEqual([]);
    expect(gate.waiting).toBe(1);
    gate.begin();
    await clock.advance(0);
    expect(entered).toEqual([true]);
  });

  it("lets 1, 2, 4, 8 through at a time, and everybody after that", async () => {
    const { clock, gate, entered, come, opened } = setUp();
    for (let call = 0; call < 50; call += 1) void come();
    gate.begin();
    const rounds: number[] = [];
    let before = 0;
    while (opened() === 0) {
      await clock.advance(0);
      const now = entered.length - before;
      rounds.push(now);
      before = entered.length;
      for (let call = 0; call < now && opened() === 0; call += 1) gate.leave(true);
    }
    await clock.advance(0);
    expect(rounds).toEqual([1, 2, 4, 8]);
    expect(entered).toHaveLength(50);
    expect(clock.pending).toBe(0);
  });

  it("does not hurry for calls that fail", async () => {
    const { clock, gate, entered, come } = setUp();
    for (let call = 0; call < 5; call += 1) void come();
    gate.begin();
    await clock.advance(0);
    gate.leave(false);
    await clock.advance(0);
    expect(entered).toHaveLength(2);
  });

  it.each([1, 2, 10, 500])("is at full speed after a second at the latest, with a pool of %i", async (max) => {
    const { clock, gate, entered, come, opened } = setUp(max);
    for (let call = 0; call < 1000; call += 1) void come();
    gate.begin();
    await clock.advance(1000);
    expect(opened()).toBe(1);
    expect(entered).toHaveLength(1000);
    expect(clock.pending).toBe(0);
  });

  it("sends everybody elsewhere when it closes", async () => {
    const { clock, gate, entered, come, opened } = setUp();
    for (let call = 0; call < 3; call += 1) void come();
    gate.begin();
    await clock.advance(0);
    gate.close();
    gate.open();
    await clock.advance(0);
    expect(entered).toEqual([true, false, false]);
    expect(opened()).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("ends a wait at its limit and at an abort, and gives the turn to the next", async () => {
    const { clock, gate, entered, come } = setUp();
    const aborting = new AbortController();
    const ends = Promise.allSettled([come(100), come(Number.POSITIVE_INFINITY, aborting.signal)]);
    void come();
    await clock.advance(100);
    aborting.abort(new Error("enough"));
    expect(await ends).toMatchObject([{ reason: { message: "too late" } }, { reason: { message: "enough" } }]);
    gate.begin();
    await clock.advance(0);
    expect(entered).toEqual([true]);
  });
});
