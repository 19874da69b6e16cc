import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectionHome } from "./connection-opener.ts";
import { ConnectionStore } from "./connection-store.ts";
import type { ConnectionStoreOptions } from "./store-options.ts";
import type { DriverConnection } from "../contract/driver.ts";
import { seededRandom } from "../waiting/clock.ts";
import { ManualClock } from "../testing/manual-clock.ts";

class FakeConnection implements DriverConnection {
  readonly id: number;
  readonly driver = {};
  readonly transactionStatus = "idle";
  usable = true;
  answers = true;
  /** Whether somebody has it. */
  held = true;
  readonly #home: ConnectionHome | undefined;

  constructor(id: number, home: ConnectionHome | undefined) {
    this.id = id;
    this.#home = home;
  }
  query(): Promise<never> {
    return this.answers ? Promise.resolve({} as never) : Promise.reject(new Error("dead"));
  }
  taken(): void {
    this.held = true;
  }
  release(): void {
    this.held = false;
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
  const state = {
    failing: undefined as Error | undefined,
    stillborn: false,
    connecting: undefined as (() => Promise<void>) | undefined,
    mostAtOnce: 0,
    opening: 0,
    attempts: 0,
  };
  const store = new ConnectionStore(
    {
      open: async (home, givenUp) => {
        state.attempts += 1;
        state.opening += 1;
        state.mostAtOnce = Math.max(state.mostAtOnce, state.opening);
        const aborted = new Promise<never>((_, reject) =>
          givenUp.addEventListener("abort", () => reject(givenUp.reason as Error), { once: true }),
        );
        try {
          await Promise.race([state.connecting?.() ?? Promise.resolve(), aborted]);
        } finally {
          state.opening -= 1;
        }
        if (state.failing !== undefined) throw state.failing;
        const connection = new FakeConnection(opened.length, home);
        if (state.stillborn) connection.usable = false;
        opened.push(connection);
        return connection;
      },
    },
    {
      name: "store",
      max: 3,
      min: 0,
      replaces: true,
      idleTimeoutMs: 10_000,
      maxLifetimeMs: 0,
      maxUses: 0,
      validateAfterIdleMs: 0,
      validateIntervalMs: 0,
      connectTimeoutMs: 1_000,
      validationText: "SELECT 1",
      onConnect: undefined,
      resetOnRelease: false,
      clock,
      random: () => 0,
      ...options,
    },
  );
  return { clock, opened, state, store };
}

function nth<Item>(items: readonly Item[], at: number): Item {
  const item = items[at];
  if (item === undefined) throw new Error(`there is no item ${at}`);
  return item;
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

  it("tells those who wait nothing of a failure while connections are out, and tries again with pauses", async () => {
    const { store, state, clock } = storeOf({ max: 3 });
    const held = await store.acquire();
    state.failing = new Error("too many connections");
    const waiting = Promise.resolve(store.acquire());
    await clock.advance(1_000);
    // Pauses of 50, 100, 200, 400 and 800 milliseconds with these dice.
    expect(state.attempts).toBe(6);
    held.release();
    expect(await waiting).toBe(held);
    state.failing = undefined;
    await clock.advance(60_000);
    expect(store.counts()).toMatchObject({ total: 1, connecting: 0 });
  });

  it("tells those who wait of a failure when the last connection that was out is gone", async () => {
    const { store, state, clock } = storeOf({ max: 3 });
    const held = await store.acquire();
    const refused = new Error("refused");
    state.failing = refused;
    const waiting = Promise.allSettled([store.acquire(), store.acquire()]);
    await clock.advance(10);
    await held.destroy(false);
    expect(await waiting).toEqual([
      { status: "rejected", reason: refused },
      { status: "rejected", reason: refused },
    ]);
  });

  it("tells them at once where trying again is of no use", async () => {
    const wrong = new Error("wrong password");
    const { store, state } = storeOf({ max: 3, hopeless: (error) => error === wrong });
    const held = await store.acquire();
    state.failing = wrong;
    await expect(Promise.resolve(store.acquire())).rejects.toBe(wrong);
    held.release();
  });

  it("lets each attempt under way be somebody's hope", async () => {
    const { store, state } = storeOf({ max: 3 });
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let attempt = 0;
    state.connecting = () => nth(gates, attempt++).promise;
    const refused = new Error("refused");
    const calls = [1, 2, 3].map(() => Promise.resolve(store.acquire()));
    nth(gates, 1).reject(refused);
    await expect(calls[2]).rejects.toBe(refused);
    nth(gates, 0).resolve();
    nth(gates, 2).resolve();
    expect(await calls[0]).not.toBe(await calls[1]);
  });

  it("takes a connection that is dead as soon as it is open for one that could not be opened", async () => {
    const { store, state } = storeOf();
    state.stillborn = true;
    await expect(Promise.resolve(store.acquire())).rejects.toMatchObject({ code: "ERR_BREAKWATER_NODE_LOST" });
    expect(state.attempts).toBe(1);
    expect(store.counts()).toEqual({ total: 0, idle: 0, connecting: 0 });
  });

  it("replaces what is lost, in the background, after the first call and not before", async () => {
    const { store, opened, clock, state } = storeOf({ min: 2, idleTimeoutMs: 0 });
    await clock.advance(1_000);
    expect(state.attempts).toBe(0);
    const first = await store.acquire();
    await clock.advance(0);
    expect(store.counts()).toEqual({ total: 2, idle: 1, connecting: 0 });
    first.release();
    for (const connection of opened.slice()) connection.die();
    await clock.advance(1_000);
    expect(store.counts()).toEqual({ total: 2, idle: 2, connecting: 0 });
  });

  it("spares connections and opens none where min does not mean that", async () => {
    const { store, opened, clock } = storeOf({ min: 2, replaces: false, idleTimeoutMs: 10 });
    (await store.acquire()).release();
    await clock.advance(1_000);
    expect(store.counts().total).toBe(1);
    nth(opened, 0).die();
    await clock.advance(60_000);
    expect(store.counts().total).toBe(0);
  });

  it("replaces more and more slowly while it cannot, one at a time, and goes on when it can", async () => {
    const { store, clock, state, opened } = storeOf({ max: 8, min: 8, idleTimeoutMs: 0 });
    const failed: unknown[] = [];
    store.listen({ lost: () => undefined, notice: () => undefined, unopened: (error) => failed.push(error) });
    await store.warm();
    state.failing = new Error("refused");
    state.attempts = 0;
    state.mostAtOnce = 0;
    for (const connection of opened.slice()) connection.die();
    await clock.advance(60_000);
    expect(state.attempts).toBeGreaterThan(5);
    expect(state.attempts).toBeLessThan(25);
    expect(failed).toHaveLength(state.attempts);
    expect(state.mostAtOnce).toBe(1);
    state.failing = undefined;
    await clock.advance(10_000);
    expect(store.counts()).toMatchObject({ total: 8, idle: 8 });
    expect(state.mostAtOnce).toBeLessThanOrEqual(4);
  });

  it("does not race against a server that ends each connection after a moment", async () => {
    const { store, clock, state, opened } = storeOf({ max: 4, min: 2, idleTimeoutMs: 0 });
    await store.warm();
    for (let ms = 0; ms < 60_000; ms += 10) {
      for (const connection of opened) if (connection.usable) connection.die();
      await clock.advance(10);
    }
    expect(state.attempts).toBeLessThan(60);
  });

  it("asks idle connections in the background, keeps those that answer in their order, and ends the others", async () => {
    const { store, clock, opened } = storeOf({ min: 3, idleTimeoutMs: 0, validateIntervalMs: 100 });
    const held = await Promise.all([1, 2, 3].map(async () => store.acquire()));
    for (const connection of held) connection.release();
    await clock.advance(250);
    expect(opened).toHaveLength(3);
    expect(store.acquire()).toBe(opened[2]);
    nth(opened, 2).release();
    nth(opened, 0).answers = false;
    await clock.advance(1_000);
    expect(nth(opened, 0).usable).toBe(false);
    expect(store.counts()).toEqual({ total: 3, idle: 3, connecting: 0 });
  });

  it("does not ask one silent connection after another before it hands out one that answers", async () => {
    const { store, clock, opened } = storeOf({ max: 10, idleTimeoutMs: 0, validateAfterIdleMs: 50 });
    const held = await Promise.all(Array.from({ length: 10 }, async () => store.acquire()));
    for (const connection of held) connection.release();
    await clock.advance(50);
    let asked = 0;
    for (const connection of opened) {
      connection.query = () => {
        asked += 1;
        return Promise.reject(new Error("dead"));
      };
    }
    expect(await store.acquire()).toBe(opened[10]);
    expect(asked).toBe(1);
    expect(store.counts().total).toBe(1);
  });

  it("ends a connection whose onConnect takes too long, and leaves no timer", async () => {
    const { store, clock, opened } = storeOf({ connectTimeoutMs: 100, onConnect: () => new Promise(() => undefined) });
    const call = Promise.allSettled([store.acquire()]);
    await clock.advance(100);
    expect(await call).toMatchObject([{ reason: { code: "ERR_BREAKWATER_TIMEOUT", phase: "connect" } }]);
    expect(nth(opened, 0).usable).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it("gives up what is being opened or prepared when it is closed, and refuses who waits for it", async () => {
    for (const where of ["connecting", "onConnect"]) {
      const never = (): Promise<void> => new Promise(() => undefined);
      const { store, clock, state } = storeOf(where === "onConnect" ? { onConnect: never } : {});
      if (where === "connecting") state.connecting = never;
      const call = Promise.allSettled([store.acquire(), store.open()]);
      await clock.advance(0);
      if (where === "onConnect") expect(store.counts().connecting).toBe(1);
      await store.close();
      await store.close();
      expect((await call)[0]).toMatchObject({ reason: { code: "ERR_BREAKWATER_POOL_CLOSED" } });
      expect(store.counts()).toEqual({ total: 0, idle: 0, connecting: 0 });
      expect(clock.pending).toBe(0);
      await expect(Promise.resolve(store.acquire())).rejects.toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
    }
  });

  it("ends at once what comes back while it is draining, and opens nothing more", async () => {
    const { store, opened, state, clock } = storeOf({ min: 2 });
    const held = await store.acquire();
    await clock.advance(0);
    store.drain();
    expect(store.counts()).toMatchObject({ total: 1, idle: 0 });
    held.release();
    await clock.advance(60_000);
    expect(opened.every(({ usable }) => !usable)).toBe(true);
    expect(state.attempts).toBe(2);
    expect(clock.pending).toBe(0);
  });

  it("does not hand out what was being opened before retire()", async () => {
    const { store, state, opened, clock } = storeOf();
    const gate = Promise.withResolvers<void>();
    state.connecting = () => gate.promise;
    const before = Promise.allSettled([store.acquire()]);
    store.retire();
    state.connecting = undefined;
    expect(await store.acquire()).toBe(opened[0]);
    gate.resolve();
    await clock.advance(0);
    expect((await before)[0]?.status).toBe("rejected");
    expect(opened).toHaveLength(1);
  });

  it("gives each connection a lifetime of its own, between four fifths and all of it", async () => {
    const random = seededRandom(7);
    const { store, clock, opened } = storeOf({ max: 20, maxLifetimeMs: 1_000, idleTimeoutMs: 0, random });
    const held = await Promise.all(Array.from({ length: 20 }, async () => store.acquire()));
    for (const connection of held) connection.release();
    await clock.advance(800);
    const alive = [opened.filter(({ usable }) => usable).length];
    for (let step = 0; step < 4; step += 1) {
      await clock.advance(50);
      alive.push(opened.filter(({ usable }) => usable).length);
    }
    expect(alive[0]).toBe(20);
    expect(alive.at(-1)).toBe(0);
    expect(new Set(alive).size).toBe(5);
  });

  it("opens one connection to show that there can be some, when none are to be kept", async () => {
    const { store, state } = storeOf();
    await store.warm();
    expect(store.counts()).toEqual({ total: 1, idle: 1, connecting: 0 });
    expect(state.attempts).toBe(1);
  });

  it("never has more than max on the way, serves everybody, and leaves nothing, whatever happens", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.constantFrom(
            "acquire",
            "release",
            "destroy",
            "die",
            "retire",
            "tick",
            "fail",
            "heal",
            "grow",
            "shrink",
            "dead",
          ),
          { maxLength: 80 },
        ),
        fc.integer({ min: 0, max: 3 }),
        async (steps, min) => {
          const { store, clock, opened, state } = storeOf({
            max: 3,
            min,
            idleTimeoutMs: 50,
            maxLifetimeMs: 500,
            maxUses: 4,
            validateAfterIdleMs: 30,
            validateIntervalMs: 40,
            random: seededRandom(steps.length),
          });
          const held = new Set<DriverConnection>();
          let waiting = 0;
          let max = 3;
          const take = async (): Promise<void> => {
            waiting += 1;
            try {
              const connection = await store.acquire();
              expect(held).not.toContain(connection);
              expect(connection.usable).toBe(true);
              held.add(connection);
            } catch {
              // It could not be opened.
            } finally {
              waiting -= 1;
            }
          };
          const any = (): FakeConnection | undefined => {
            const [first] = held;
            if (first !== undefined) held.delete(first);
            return first as FakeConnection | undefined;
          };
          for (const step of steps) {
            if (step === "acquire" && held.size + waiting < max) void take();
            else if (step === "release") any()?.release();
            else if (step === "destroy") await any()?.destroy();
            else if (step === "die") opened.find(({ usable, held: taken }) => usable && !taken)?.die();
            else if (step === "retire") store.retire();
            else if (step === "fail") state.failing = new Error("refused");
            else if (step === "dead") state.stillborn = true;
            else if (step === "heal") {
              state.failing = undefined;
              state.stillborn = false;
            } else if (step === "grow") store.resize(min, (max = 5));
            else if (step === "shrink") store.resize(Math.min(min, 2), (max = 2));
            else await clock.advance(20);
            const { total, idle, connecting } = store.counts();
            expect(total).toBeLessThanOrEqual(5);
            expect(idle + connecting).toBeLessThanOrEqual(total);
          }
          state.failing = undefined;
          state.stillborn = false;
          for (const connection of held) connection.release();
          held.clear();
          for (let more = 0; more < 20; more += 1) {
            await clock.advance(1_000);
            for (const connection of held) connection.release();
            held.clear();
          }
          expect(waiting).toBe(0);
          await store.close();
          expect(store.counts()).toEqual({ total: 0, idle: 0, connecting: 0 });
          expect(opened.every(({ usable }) => !usable)).toBe(true);
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
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
