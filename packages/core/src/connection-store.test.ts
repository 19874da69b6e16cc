import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectionHome } from "./connection-opener.ts";
import { ConnectionStore, type ConnectionStoreOptions } from "./connection-store.ts";
import type { DriverConnection } from "./driver.ts";
import { ManualClock } from "./testing/manual-clock.ts";

class FakeConnection implements DriverConnection {
  readonly id: number;
  readonly driver = {};
  readonly transactionStatus = "idle";
  usable = true;
  answers = true;
  readonly #home: ConnectionHome | undefined;

  constructor(id: number, home: ConnectionHome | undefined) {
    this.id = id;
    this.#home = home;
  }
  query(): Promise<never> {
    return this.answers ? Promise.resolve({} as never) : Promise.reject(new Error("dead"));
  }
  release(): void {
    this.#home?.released(this);
  }
  destroy(): Promise<void> {
    this.usable = false;
    this.#home?.gone(this);
    return Promise.resolve();
  }
  die(): void {
    this.usable = false;
    this.#home?.lost(this, new Error("gone"));
  }
}

function storeOf(options: Partial<ConnectionStoreOptions> = {}) {
  const clock = new ManualClock();
  const opened: FakeConnection[] = [];
  const state = { failing: undefined as Error | undefined, mostAtOnce: 0, opening: 0, attempts: 0 };
  const store = new ConnectionStore(
    {
      open: async (home) => {
        state.attempts += 1;
        state.opening += 1;
        state.mostAtOnce = Math.max(state.mostAtOnce, state.opening);
        await Promise.resolve();
        state.opening -= 1;
        if (state.failing !== undefined) throw state.failing;
        const connection = new FakeConnection(opened.length, home);
        opened.push(connection);
        return connection;
      },
    },
    {
      max: 3,
      min: 0,
      idleTimeoutMs: 10_000,
      maxLifetimeMs: 0,
      maxUses: 0,
      validateAfterIdleMs: 0,
      validationText: "SELECT 1",
      onConnect: undefined,
      clock,
      random: () => 0,
      ...options,
    },
  );
  return { clock, opened, state, store };
}

describe("ConnectionStore", () => {
  it("hands out the most recently used connection, at once", async () => {
    const { store, opened } = storeOf();
    const [a, b] = await Promise.all([store.acquire(), store.acquire()]);
    a.release();
    b.release();
    expect(store.acquire()).toBe(opened[1]);
    expect(store.acquire()).toBe(opened[0]);
    expect(store.counts()).toEqual({ total: 2, idle: 0, connecting: 0 });
  });

  it("gives a connection that comes back to whoever has waited longest", async () => {
    const { store } = storeOf({ max: 1 });
    const first = await store.acquire();
    const order: string[] = [];
    const second = Promise.resolve(store.acquire()).then((connection) => {
      order.push("second");
      return connection;
    });
    const third = Promise.resolve(store.acquire()).then((connection) => {
      order.push("third");
      return connection;
    });
    first.release();
    (await second).release();
    await third;
    expect(order).toEqual(["second", "third"]);
  });

  it("ends what is idle too long, down to min, with one timer", async () => {
    const { store, clock, opened } = storeOf({ min: 1, idleTimeoutMs: 100 });
    const held = await Promise.all([1, 2, 3].map(async () => store.acquire()));
    for (const connection of held) connection.release();
    expect(clock.pending).toBe(1);
    await clock.advance(99);
    expect(store.counts().total).toBe(3);
    await clock.advance(1);
    expect(store.counts()).toEqual({ total: 1, idle: 1, connecting: 0 });
    expect(opened.filter(({ usable }) => usable)).toHaveLength(1);
  });

  it("ends a connection after its lifetime, even while others keep it from being idle", async () => {
    const { store, clock, opened } = storeOf({ maxLifetimeMs: 1_000 });
    const connection = await store.acquire();
    await clock.advance(1_000);
    connection.release();
    expect(opened[0]?.usable).toBe(false);
    expect(store.counts().total).toBe(0);
  });

  it("ends an idle connection when its lifetime is over", async () => {
    const { store, clock } = storeOf({ maxLifetimeMs: 1_000, idleTimeoutMs: 0 });
    (await store.acquire()).release();
    await clock.advance(1_000);
    expect(store.counts().total).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("ends a connection after maxUses calls", async () => {
    const { store, opened } = storeOf({ maxUses: 2 });
    for (let call = 0; call < 4; call += 1) (await store.acquire()).release();
    expect(opened).toHaveLength(2);
  });

  it("asks a connection that was idle long before it hands it out, and replaces one that does not answer", async () => {
    const { store, clock, opened } = storeOf({ validateAfterIdleMs: 50, idleTimeoutMs: 0 });
    (await store.acquire()).release();
    await clock.advance(50);
    const first = opened[0];
    if (first !== undefined) first.answers = false;
    expect(await store.acquire()).toBe(opened[1]);
    expect(first?.usable).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it("tells everybody who waits when none can be opened, and then opens one at a time, two, four", async () => {
    const { store, state } = storeOf({ max: 8 });
    const refused = new Error("refused");
    state.failing = refused;
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => Promise.resolve(store.acquire())));
    expect(outcomes.every((outcome) => outcome.status === "rejected" && outcome.reason === refused)).toBe(true);
    expect(state.mostAtOnce).toBe(8);
    state.failing = undefined;
    state.mostAtOnce = 0;
    const held = await Promise.all(Array.from({ length: 8 }, async () => store.acquire()));
    expect(new Set(held).size).toBe(8);
    expect(state.mostAtOnce).toBeLessThanOrEqual(4);
  });

  it("makes one attempt, not one for each, after a failure", async () => {
    const { store, state } = storeOf({ max: 8 });
    state.failing = new Error("refused");
    await Promise.allSettled([store.acquire()]);
    state.attempts = 0;
    await Promise.allSettled(Array.from({ length: 50 }, () => Promise.resolve(store.acquire())));
    expect(state.attempts).toBe(1);
  });

  it("forgets a connection that dies while idle, and says so", async () => {
    const { store, opened } = storeOf();
    const lost: unknown[] = [];
    store.listen({ lost: (error) => lost.push(error), notice: () => undefined });
    (await store.acquire()).release();
    opened[0]?.die();
    expect(lost).toHaveLength(1);
    expect(store.counts()).toEqual({ total: 0, idle: 0, connecting: 0 });
  });

  it("lets no connection of before retire() be used again", async () => {
    const { store, opened } = storeOf();
    const held = await store.acquire();
    (await store.acquire()).release();
    store.retire();
    held.release();
    expect(opened.map(({ usable }) => usable)).toEqual([false, false]);
    expect(await store.acquire()).toBe(opened[2]);
  });

  it("opens min connections when it is warmed, and rejects with the reason when it cannot", async () => {
    const { store, state } = storeOf({ min: 2 });
    await store.warm();
    expect(store.counts()).toEqual({ total: 2, idle: 2, connecting: 0 });
    store.retire();
    state.failing = new Error("refused");
    await expect(store.warm()).rejects.toBe(state.failing);
  });

  it("ends a connection whose onConnect throws", async () => {
    const reason = new Error("not prepared");
    const { store, opened } = storeOf({
      onConnect: () => {
        throw reason;
      },
    });
    await expect(Promise.resolve(store.acquire())).rejects.toBe(reason);
    expect(opened[0]?.usable).toBe(false);
    expect(store.counts()).toEqual({ total: 0, idle: 0, connecting: 0 });
  });

  it("grows and shrinks without losing those who wait", async () => {
    const { store } = storeOf({ max: 1 });
    const first = await store.acquire();
    const second = Promise.resolve(store.acquire());
    store.resize(0, 2);
    const other = await second;
    expect(other).not.toBe(first);
    store.resize(0, 1);
    first.release();
    expect(store.counts().total).toBe(1);
    other.release();
    expect(store.counts()).toEqual({ total: 1, idle: 1, connecting: 0 });
  });

  it("never opens more than max, hands nobody another's connection, and leaves nothing behind", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("acquire", "release", "destroy", "retire", "tick"), { maxLength: 60 }),
        async (steps) => {
          const { store, clock } = storeOf({ max: 3, idleTimeoutMs: 50, maxLifetimeMs: 500 });
          const held: DriverConnection[] = [];
          for (const step of steps) {
            if (step === "acquire" && held.length < 3) {
              const connection = await store.acquire();
              expect(held).not.toContain(connection);
              held.push(connection);
            } else if (step === "release") held.shift()?.release();
            else if (step === "destroy") await held.shift()?.destroy(false);
            else if (step === "retire") store.retire();
            else if (step === "tick") await clock.advance(20);
            expect(store.counts().total).toBeLessThanOrEqual(3);
          }
          for (const connection of held) connection.release();
          await store.close();
          expect(store.counts()).toEqual({ total: 0, idle: 0, connecting: 0 });
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
