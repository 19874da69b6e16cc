import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Causality,
  CircuitOpenError,
  type CloseOptions,
  type NodeState,
  type Operation,
  OptionError,
  type Pool,
  seededRandom,
  TimeoutError,
} from "@breakwater/core";
import { failing, fakeCall, type FakePool, fakePool, ManualClock } from "@breakwater/core/testing";
import { topologyOf } from "./membership.ts";
import type { NodeOptions } from "./node.ts";
import type { RouterOptions } from "./options.ts";
import { router } from "./router.ts";

/** A node of a fake cluster: what it says to probes, and what it does with calls. */
interface FakeNode {
  readonly name: string;
  readonly pool: FakePool;
  state: NodeState;
  /** Thrown at probes and calls; `hung` lets them wait for their deadline. */
  trouble: (() => Error) | "hung" | undefined;
  answer: (operation: Operation<unknown>) => unknown;
  /** Calls of callers, in order. */
  readonly served: Operation<unknown>[];
  /** When it was probed, in milliseconds. */
  readonly probedAt: number[];
}

const refused = (): Error => failing({ phase: "connect" }, new Error("nobody listens"));
const cut = (): Error => failing({}, new Error("the link was lost"));
const standby = (): Error => failing({ retry: "primary", blames: "statement", connection: "keep" });
const silence = (): Error =>
  new TimeoutError("fake", "no answer", {
    phase: "connect",
    effect: "none",
    retry: "other-node",
    blames: "node",
    connection: "keep",
    reason: "no answer",
  });

function fakeNode(name: string, role: NodeState["role"], clock: ManualClock): FakeNode {
  const node: FakeNode = {
    name,
    state: { role, systemId: undefined, timeline: 1, position: 100n },
    trouble: undefined,
    answer: () => name,
    served: [],
    probedAt: [],
    pool: fakePool(async (operation) => {
      const probing = operation.purpose === "probe";
      if (probing) node.probedAt.push(clock.now());
      const { trouble } = node;
      if (trouble === "hung") {
        await new Promise<void>((resolve) => clock.setTimer(operation.deadline - clock.now(), resolve));
        throw silence();
      }
      if (trouble !== undefined) throw trouble();
      if (probing || (operation.kind === "query" && operation.statement.text === "")) return node.state;
      node.served.push(operation);
      return node.answer(operation);
    }, name),
  };
  return node;
}

interface Setup {
  readonly clock: ManualClock;
  readonly primary: FakeNode;
  readonly replicas: readonly FakeNode[];
  readonly pool: Pool;
  readonly heard: string[];
  /** Runs a read, and tells who served it. */
  readonly read: (context?: Parameters<typeof fakeCall>[0]) => Promise<unknown>;
  readonly write: (context?: Parameters<typeof fakeCall>[0]) => Promise<unknown>;
  readonly promote: (node: FakeNode) => void;
}

const EVENTS = [
  "router:node-down",
  "router:node-up",
  "router:role-changed",
  "router:node-fenced",
  "router:node-ejected",
  "router:node-readmitted",
  "router:node-lagging",
  "router:rerouted",
  "router:read-refused",
] as const;

function setUp(
  replicas = 2,
  options: Partial<RouterOptions> = {},
  more: (index: number) => Partial<NodeOptions> = () => ({}),
): Setup {
  const clock = new ManualClock();
  const primary = fakeNode("primary", "primary", clock);
  const others = Array.from({ length: replicas }, (_, index) => fakeNode(`replica ${index + 1}`, "replica", clock));
  const pool = router({
    primary: primary.pool,
    ...(replicas === 0 ? {} : { replicas: others.map((node, index) => ({ pool: node.pool, ...more(index) })) }),
    clock,
    random: seededRandom(1),
    ...options,
  });
  const heard: string[] = [];
  for (const name of EVENTS) {
    pool.events.on(name, (event) => void heard.push(`${name.slice("router:".length)} ${event.node}`));
  }
  return {
    clock,
    primary,
    replicas: others,
    pool,
    heard,
    read: (context) => pool.execute(fakeCall(context)),
    write: (context) => pool.execute(fakeCall({ access: "write", ...context })),
    promote: (node) => {
      node.state = { ...node.state, role: "primary", timeline: 2 };
    },
  };
}

/** The promise's fate so far. */
function watch<T>(promise: Promise<T>) {
  const fate: { value?: T; error?: Error; settled: boolean } = { settled: false };
  promise.then(
    (value) => Object.assign(fate, { value, settled: true }),
    (error: unknown) => Object.assign(fate, { error, settled: true }),
  );
  return fate;
}

function nth(nodes: readonly FakeNode[], index: number): FakeNode {
  const node = nodes[index];
  if (node === undefined) throw new RangeError(`there is no node ${index}`);
  return node;
}

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, () => make());

describe("router", () => {
  it("sends writes and strong reads to the primary and reads to the replicas in turn", async () => {
    const { read, write } = setUp();
    expect([await write(), await read({ consistency: "strong" })]).toEqual(["primary", "primary"]);
    expect([await read(), await read(), await read()]).toEqual(["replica 1", "replica 2", "replica 1"]);
  });

  it("sends everything to the primary when there is no replica", async () => {
    const { read, write } = setUp(0);
    expect([await write(), await read()]).toEqual(["primary", "primary"]);
  });

  it("gives each of N healthy replicas the same number of reads, but for one", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 200 }), async (size, calls) => {
        const { clock, read, replicas, pool } = setUp(size);
        for (let call = 0; call < calls; call += 1) {
          await read();
          if (call % 50 === 0) await clock.advance(300);
        }
        const served = replicas.map((node) => node.served.length);
        expect(Math.max(...served) - Math.min(...served)).toBeLessThanOrEqual(1);
        await pool.close();
      }),
      { numRuns: 20 },
    );
  });

  it("skips what is down, and comes back to it", async () => {
    const { clock, read, replicas, heard } = setUp(3);
    const first = nth(replicas, 0);
    first.trouble = refused;
    expect(await Promise.all(times(6, () => read()))).not.toContain("replica 1");
    expect(heard).toContain("node-down replica 1");
    const before = first.pool.calls.length;
    await Promise.all(times(9, () => read()));
    expect(first.pool.calls.length).toBe(before);
    first.trouble = undefined;
    await clock.advance(1000);
    expect(heard).toContain("node-up replica 1");
    await Promise.all(times(6, () => read()));
    expect(first.served.length).toBeGreaterThan(0);
  });

  it("falls back to the primary for reads when all replicas are down", async () => {
    const { read, replicas } = setUp();
    for (const node of replicas) node.trouble = refused;
    expect(await read()).toBe("primary");
  });

  it("serves reads while the primary is down", async () => {
    const { clock, primary, read, write } = setUp();
    await read();
    primary.trouble = refused;
    const writing = watch(write());
    await clock.advance(100);
    expect(writing.settled).toBe(false);
    expect(await read()).toMatch("replica");
  });

  it("moves a read whose link is lost to the next node", async () => {
    const { read, replicas, pool, heard } = setUp();
    const first = nth(replicas, 0);
    first.answer = () => {
      throw cut();
    };
    expect(await read()).toBe("replica 2");
    expect(heard).toEqual(["rerouted replica 1"]);
    expect(pool.stats().policies[0]).toMatchObject({ policy: "router", rerouted: 1 });
  });

  it("never moves a call whose effect is unknown, unless it is idempotent", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("read", "write"),
        fc.boolean(),
        fc.constantFrom("other-node", "primary", "same-node", "transaction", "never"),
        async (access, idempotent, advice) => {
          const { clock, primary, replicas, pool } = setUp();
          const nodes = [primary, ...replicas];
          for (const node of nodes) {
            node.answer = () => {
              throw failing({ effect: "unknown", retry: advice });
            };
          }
          const fate = watch(pool.execute(fakeCall({ access, idempotent, deadline: 500 })));
          await clock.advance(1000);
          expect(fate.settled).toBe(true);
          const sent = nodes.reduce((sum, node) => sum + node.served.length, 0);
          if (!idempotent) expect(sent).toBe(1);
          await pool.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("throws the last error when every node that could serve has failed", async () => {
    const { primary, read, replicas } = setUp();
    const nodes = [primary, ...replicas];
    for (const node of nodes) {
      node.answer = () => {
        throw failing({}, new Error(`failed on ${node.name}`));
      };
    }
    await expect(read()).rejects.toThrow("failed on primary");
    expect(nodes.map((node) => node.served.length)).toEqual([1, 1, 1]);
  });

  it("asks its budget before a call that had been sent goes on elsewhere, and no other", async () => {
    let left = 1;
    const asked: number[] = [];
    const budget = {
      recordCall: () => undefined,
      tryRetry: () => asked.push(left) > 0 && left-- > 0,
      stats: () => ({ calls: 0, retries: 0, left, refused: 0 }),
    };
    const { read, replicas } = setUp(2, { budget, ejection: false });
    nth(replicas, 0).answer = () => {
      throw failing({ connection: "keep" }, new Error("failed"));
    };
    expect(await read()).toBe("replica 2");
    await expect(read()).rejects.toThrow("failed");
    expect(asked).toHaveLength(2);
    nth(replicas, 0).answer = () => {
      throw failing({ phase: "connect" });
    };
    expect(await read()).toBe("replica 2");
    expect(await read()).toBe("replica 2");
    expect(asked).toHaveLength(2);
  });

  it("does not move what is no fault of the node", async () => {
    const { read, replicas } = setUp();
    for (const node of replicas) {
      node.answer = () => {
        throw failing({ retry: "never", blames: "statement" }, new Error("syntax"));
      };
    }
    await expect(read()).rejects.toThrow("syntax");
    expect(replicas.map((node) => node.served.length)).toEqual([1, 0]);
  });

  describe("waiting for a node", () => {
    it("holds writes until a primary is there, and then all go on", async () => {
      const { clock, primary, replicas, write, promote, pool } = setUp();
      await write();
      primary.trouble = refused;
      const writes = times(20, () => watch(write()));
      await clock.advance(3000);
      expect(pool.stats().policies[0]).toMatchObject({ waitingForNode: 20 });
      promote(nth(replicas, 1));
      await clock.advance(200);
      expect(writes.map(({ value }) => value)).toEqual(times(20, () => "replica 2"));
    });

    it("is bounded in time, by the option and by the call's deadline", async () => {
      const { clock, primary, write } = setUp(2, { failoverWaitMs: 5000 });
      await write();
      primary.trouble = refused;
      const [long, short] = [watch(write()), watch(write({ deadline: clock.now() + 1000 }))];
      await clock.advance(999);
      expect(short.settled).toBe(false);
      await clock.advance(2);
      expect(short.error).toMatchObject({ code: "ERR_BREAKWATER_NO_HEALTHY_NODE" });
      expect(short.error?.message).toContain("primary down, replica 1 up, replica 2 up");
      await clock.advance(3900);
      expect(long.settled).toBe(false);
      await clock.advance(100);
      expect(long.error).toMatchObject({ code: "ERR_BREAKWATER_NO_HEALTHY_NODE" });
    });

    it("is bounded in number", async () => {
      const { clock, primary, write } = setUp(2, { maxWaiting: 3 });
      await write();
      primary.trouble = refused;
      const writes = times(5, () => watch(write()));
      await clock.advance(10);
      expect(writes.map(({ settled }) => settled)).toEqual([false, false, false, true, true]);
    });

    it("ends at an abort, with its reason", async () => {
      const { clock, primary, write } = setUp();
      await write();
      primary.trouble = refused;
      const aborting = new AbortController();
      const fate = watch(write({ signal: aborting.signal }));
      await clock.advance(100);
      aborting.abort(new Error("had enough"));
      await clock.advance(0);
      expect(fate.error?.message).toBe("had enough");
    });
  });

  describe("a failover", () => {
    it("fences a primary of an older history, whatever it says of itself", async () => {
      const { clock, primary, replicas, promote, write, heard } = setUp();
      await write();
      promote(nth(replicas, 0));
      await clock.advance(1100);
      // Whoever was the primary answers and believes it still is.
      expect(heard).toContain("role-changed replica 1");
      expect(heard).toContain("node-fenced primary");
      expect(primary.pool.interrupts.map(({ message }) => message)).toContain(
        "the node is a primary of an older history",
      );
      expect(await write()).toBe("replica 1");
      expect(primary.served).toHaveLength(1);
    });

    it("does not go back to the old primary when the new one is lost", async () => {
      const { clock, primary, replicas, promote, write } = setUp();
      const next = nth(replicas, 0);
      await write();
      promote(next);
      await clock.advance(1100);
      next.trouble = refused;
      const fate = watch(write());
      await clock.advance(10_000);
      expect(fate.settled).toBe(false);
      expect(primary.served).toHaveLength(1);
    });

    it("finds a hung primary by probes, ends what runs there, and goes on elsewhere", async () => {
      const { clock, primary, replicas, promote, write, heard } = setUp();
      await write();
      primary.trouble = "hung";
      await clock.advance(3100);
      expect(heard).toContain("node-down primary");
      expect(primary.pool.interrupts).not.toHaveLength(0);
      promote(nth(replicas, 0));
      await clock.advance(150);
      expect(await write()).toBe("replica 1");
    });

    it("looks at the others as soon as the primary is late, not only when it is given up", async () => {
      const { clock, primary, replicas, promote, write } = setUp();
      await write();
      await clock.advance(500);
      primary.trouble = "hung";
      promote(nth(replicas, 0));
      await clock.advance(600 + 100 + 20);
      expect(await write()).toBe("replica 1");
    });

    it("makes writes wait while a primary that refused one is asked what it is", async () => {
      const { clock, primary, replicas, promote, write } = setUp();
      await write();
      await clock.advance(500);
      primary.state = { ...primary.state, role: "replica" };
      primary.answer = () => {
        throw standby();
      };
      const writes = times(3, () => watch(write()));
      await clock.advance(150);
      expect(writes.some(({ settled }) => settled)).toBe(false);
      promote(nth(replicas, 1));
      await clock.advance(200);
      expect(writes.map(({ value }) => value)).toEqual(times(3, () => "replica 2"));
      expect(primary.pool.interrupts.map(({ message }) => message)).toContain("the node is not the primary any more");
    });

    it("throws what a primary refuses twice: then it is the call that is wrong", async () => {
      const { clock, primary, write, heard } = setUp();
      primary.answer = () => {
        throw standby();
      };
      const fate = watch(write());
      await clock.advance(1000);
      expect(fate.error?.message).toBe("planted");
      expect(primary.served).toHaveLength(2);
      expect(heard).not.toContain("role-changed primary");
      expect(primary.pool.interrupts).toHaveLength(0);
    });
  });

  it("sends a refused read to the primary, once, and remembers its text", async () => {
    const { primary, read, replicas, heard, pool } = setUp();
    for (const node of replicas) {
      node.answer = () => {
        throw standby();
      };
    }
    expect(await read()).toBe("primary");
    expect(await read()).toBe("primary");
    expect(replicas.map((node) => node.served.length)).toEqual([1, 0]);
    expect(primary.served.map(({ access }) => access)).toEqual(["write", "write"]);
    expect(heard.filter((each) => each.startsWith("read-refused"))).toEqual(["read-refused replica 1"]);
    expect(pool.stats().policies[0]).toMatchObject({ readsRefused: 1, refusedTexts: 1 });
  });

  describe("leaving replicas out", () => {
    it("prefers those of its zone, and goes elsewhere when they are out", async () => {
      const { read, replicas } = setUp(3, { zone: "a" }, (index) => ({ zone: index === 0 ? "a" : "b" }));
      expect(await Promise.all(times(3, () => read()))).toEqual(["replica 1", "replica 1", "replica 1"]);
      nth(replicas, 0).trouble = refused;
      expect(await read()).toMatch(/replica [23]/);
    });

    it("leaves out those that lag, and only while they do", async () => {
      const { clock, primary, replicas, read, heard } = setUp(2, { maxLag: { ms: 2000 } });
      await read();
      for (let second = 0; second < 5; second += 1) {
        for (const node of [primary, nth(replicas, 1)])
          node.state = { ...node.state, position: BigInt(200 + second * 100) };
        await clock.advance(1000);
      }
      expect(heard).toContain("node-lagging replica 1");
      expect(await Promise.all(times(4, () => read()))).not.toContain("replica 1");
      nth(replicas, 0).state = { ...primary.state, role: "replica" };
      await clock.advance(1100);
      expect(await Promise.all(times(4, () => read()))).toContain("replica 1");
    });

    it("is not fooled by an idle primary", async () => {
      const { clock, read } = setUp(2, { maxLag: { ms: 1000, bytes: 1 } });
      await read();
      await clock.advance(60_000);
      expect(await Promise.all(times(2, () => read()))).toEqual(["replica 2", "replica 1"]);
    });

    it("sends reads to the primary when all lag", async () => {
      const { clock, primary, read } = setUp(2, { maxLag: { bytes: 50 } });
      await read();
      primary.state = { ...primary.state, position: 1000n };
      await clock.advance(2100);
      expect(await read()).toBe("primary");
    });

    it("ejects a replica that fails its calls, for longer each time, and never all of them", async () => {
      const { clock, read, replicas, heard } = setUp(2, { ejection: { failures: 3, baseMs: 1000 } });
      const [first, second] = [nth(replicas, 0), nth(replicas, 1)];
      const fails = (): never => {
        throw failing({ connection: "keep" });
      };
      first.answer = fails;
      const outFor: number[] = [];
      for (let round = 1; round <= 3; round += 1) {
        for (let call = 0; call < 6; call += 1) await read();
        expect(heard).toContain("node-ejected replica 1");
        const from = clock.now();
        for (let wait = 0; wait < 100 && !heard.includes("node-readmitted replica 1"); wait += 1)
          await clock.advance(50);
        outFor.push(clock.now() - from);
        heard.length = 0;
      }
      for (const [index, ms] of outFor.entries()) {
        expect(ms).toBeGreaterThanOrEqual(800 * (index + 1));
        expect(ms).toBeLessThanOrEqual(1200 * (index + 1) + 50);
      }
      second.answer = fails;
      for (let call = 0; call < 30; call += 1) await read();
      expect(heard.filter((each) => each.startsWith("node-ejected"))).toHaveLength(1);
    });

    it("leaves the reads of a node alone that has not answered yet: it may be far off, and is being connected to", async () => {
      const { clock, read, replicas } = setUp();
      const interrupted: string[] = [];
      for (const { name, pool } of replicas) {
        const execute = pool.execute.bind(pool);
        Object.assign(pool, {
          interrupt: () => void interrupted.push(name),
          execute: async (operation: Operation<unknown>) => {
            await new Promise<void>((resolve) => clock.setTimer(600, resolve));
            return execute(operation);
          },
        });
      }
      const reads = times(4, () => watch(read({ consistency: "eventual" })));
      await clock.advance(600);
      expect(interrupted).toEqual([]);
      expect(new Set(reads.map(({ value }) => value))).toEqual(new Set(["replica 1", "replica 2"]));
      // From now on it is known what their answers take.
      await clock.advance(1_500);
      expect(new Set(interrupted)).toEqual(new Set(["replica 1", "replica 2"]));
    });

    it("turns away at once from a replica whose answer to a probe is late", async () => {
      const { clock, read, replicas } = setUp();
      await read();
      await clock.advance(950);
      nth(replicas, 0).trouble = "hung";
      await clock.advance(200);
      expect(await Promise.all(times(4, () => read()))).toEqual(times(4, () => "replica 2"));
    });
  });

  describe("an outage", () => {
    it("is met with at most two attempts to connect in any second, and comes back without a storm", async () => {
      const { clock, primary, write, pool } = setUp(0, { failoverWaitMs: 60_000 });
      const attempts: number[] = [];
      await write();
      primary.trouble = () => {
        attempts.push(clock.now());
        return refused();
      };
      const writes = times(50, () => watch(write({ deadline: 100_000 })));
      // They were sent before anybody knew: from here on nobody else finds out for himself.
      await clock.advance(0);
      attempts.length = 0;
      const callers = watch(
        (async () => {
          for (let second = 0; second < 60; second += 1) {
            times(5, () => watch(write({ deadline: 100_000 })));
            await new Promise<void>((resolve) => clock.setTimer(1000, resolve));
          }
        })(),
      );
      await clock.advance(29_999);
      expect(writes.every(({ settled }) => settled)).toBe(false);
      const startedAt = new Map<number, number>();
      primary.answer = async () => {
        startedAt.set(clock.now(), (startedAt.get(clock.now()) ?? 0) + 1);
        await new Promise<void>((resolve) => clock.setTimer(20, resolve));
        return "primary";
      };
      for (const [index, at] of attempts.entries()) {
        const within = attempts.slice(index).filter((other) => other < at + 1000);
        expect(within.length).toBeLessThanOrEqual(2);
      }
      expect(attempts.length).toBeGreaterThan(45);
      primary.trouble = undefined;
      await clock.advance(560 + 1000);
      expect([...startedAt.values()].slice(0, 4)).toEqual([1, 2, 4, 8]);
      // At most a probe's pause and a second after the return, nobody waits any more.
      expect(pool.stats().policies[0]).toMatchObject({ waitingForNode: 0 });
      expect(writes.filter(({ value }) => value === "primary").length).toBeGreaterThan(45);
      await clock.advance(60_000);
      expect(callers.settled).toBe(true);
    });

    it("lets calls wait for a probe where an open circuit turns them away, and ask again", async () => {
      const { clock, primary, write } = setUp(0);
      await write();
      await clock.advance(500);
      let open = true;
      primary.answer = () => {
        if (open) throw new CircuitOpenError("primary", 1000);
        return "primary";
      };
      const writes = times(20, () => watch(write()));
      await clock.advance(10);
      expect(writes.some(({ settled }) => settled)).toBe(false);
      const asked = primary.served.length;
      open = false;
      await clock.advance(100);
      expect(writes.map(({ value }) => value)).toEqual(times(20, () => "primary"));
      expect(primary.probedAt.length).toBeGreaterThan(1);
      expect(asked).toBeLessThan(100);
    });

    it("does not wait for a circuit that was opened by hand", async () => {
      const { primary, write } = setUp(0);
      primary.answer = () => {
        throw new CircuitOpenError("primary", undefined);
      };
      await expect(write()).rejects.toMatchObject({ code: "ERR_BREAKWATER_CIRCUIT_OPEN" });
    });

    it("keeps new calls off a node that has lost connections until it has answered", async () => {
      const { clock, primary, write, pool } = setUp(0);
      await write();
      await clock.advance(500);
      primary.trouble = refused;
      const before = primary.pool.calls.length;
      primary.pool.events.emit("connection:lost", { pool: "primary", error: cut() });
      const writes = times(50, () => watch(write()));
      await clock.advance(0);
      expect(primary.pool.calls.slice(before).map(({ purpose }) => purpose)).toEqual(["probe"]);
      expect(pool.stats().policies[0]).toMatchObject({ waitingForNode: 50 });
      primary.trouble = undefined;
      await clock.advance(2000);
      expect(writes.every(({ value }) => value === "primary")).toBe(true);
    });
  });

  describe("a session", () => {
    const position = (node: FakeNode, at: bigint): void => {
      node.state = { ...node.state, position: at };
    };

    it("reads from a replica that has its writes, and from the primary when none has", async () => {
      const { clock, read, replicas, primary } = setUp(2, { freshnessWaitMs: 50 });
      const causality = new Causality(false);
      causality.wrote({ timeline: 1, position: 150n });
      position(primary, 200n);
      const behind = watch(read({ causality }));
      await clock.advance(60);
      expect(behind.value).toBe("primary");
      position(nth(replicas, 1), 150n);
      await clock.advance(1000);
      expect(await read({ causality })).toBe("replica 2");
      expect(await read({ causality })).toBe("replica 2");
    });

    it("is not held up by a replica that does not say where it is", async () => {
      const { clock, read, replicas, primary } = setUp(2, { freshnessWaitMs: 50 });
      await read();
      await clock.advance(10);
      const causality = new Causality(false);
      causality.wrote({ timeline: 1, position: 150n });
      for (const node of replicas) node.trouble = "hung";
      position(primary, 200n);
      const fate = watch(read({ causality }));
      await clock.advance(60);
      expect(fate.value).toBe("primary");
    });

    it("is answered by its deadline, or when its caller leaves, though the primary does not say where it is", async () => {
      const { clock, read, primary } = setUp();
      await read();
      await clock.advance(10);
      const causality = new Causality(false);
      causality.wrote();
      primary.trouble = "hung";
      const abort = new AbortController();
      const late = watch(read({ causality, deadline: clock.now() + 100 }));
      const left = watch(read({ causality, deadline: clock.now() + 5_000, signal: abort.signal }));
      await clock.advance(50);
      expect([late.settled, left.settled]).toEqual([false, false]);
      abort.abort(new Error("left"));
      await clock.advance(50);
      expect(late.error).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT" });
      expect(left.error?.message).toBe("left");
    });

    it("has a write's answer by its deadline, though the primary does not say where it is after it", async () => {
      const { clock, write, primary } = setUp();
      await write();
      primary.answer = () => {
        primary.trouble = "hung";
        return "done";
      };
      const causality = new Causality(true);
      const call = write({ causality, deadline: clock.now() + 100 });
      causality.wrote();
      const fate = watch(call);
      await clock.advance(100);
      expect(fate).toEqual({ value: "done", settled: true });
      expect(causality.unplaced).toBe(true);
    });

    it("does not read from a primary that its token knows to be outdated", async () => {
      const { clock, read, replicas, promote, primary } = setUp();
      await read();
      await clock.advance(100);
      promote(nth(replicas, 0));
      const causality = new Causality(false);
      causality.wrote({ timeline: 2, position: 50n });
      const fate = watch(read({ causality }));
      await clock.advance(150);
      expect(fate.value).toBe("replica 1");
      expect(primary.served).toHaveLength(0);
    });

    it("is not held up by a token of a cluster that is no more", async () => {
      const { clock, read } = setUp(2, { freshnessWaitMs: 50 });
      await read();
      await clock.advance(100);
      const causality = new Causality(false);
      causality.wrote({ timeline: 9, position: 50n });
      const fate = watch(read({ causality }));
      await clock.advance(150);
      expect(fate.value).toBe("primary");
    });

    it("asks nobody when the primary is the only one to read from", async () => {
      const { read, primary } = setUp(0);
      const causality = new Causality(false);
      causality.wrote();
      await read({ causality });
      expect(primary.pool.calls.filter((call) => call.kind === "query")).toHaveLength(1);
    });

    it("says when its writes are of an older history than the new primary's", async () => {
      const { clock, read, replicas, promote, pool } = setUp();
      const changes: unknown[] = [];
      pool.events.on("router:history-changed", (event) => void changes.push([event.from, event.to]));
      await read();
      promote(nth(replicas, 0));
      await clock.advance(1100);
      const causality = new Causality(false);
      causality.wrote({ timeline: 1, position: 90n });
      const fate = watch(read({ causality }));
      await clock.advance(200);
      expect(fate.value).toBeDefined();
      expect(changes).toEqual([[1, 2]]);
    });
  });

  describe("its nodes", () => {
    it("send back those who have come to wait there with each connection that is lost, until they have answered", async () => {
      const { clock, primary, read } = setUp();
      await read();
      await clock.advance(10);
      const whom: unknown[] = [];
      Object.assign(primary.pool, { interrupt: (_: Error, who?: unknown) => void whom.push(who) });
      const lose = (): void => primary.pool.events.emit("connection:lost", { pool: "primary", error: cut() });
      lose();
      lose();
      primary.trouble = refused;
      await clock.advance(100);
      lose();
      expect(whom).toEqual(["waiting", "waiting", "waiting"]);
    });

    it("come and go while it runs", async () => {
      const { clock, pool, read, replicas } = setUp(1);
      const added = fakeNode("added", "replica", clock);
      await read();
      const topology = topologyOf(pool);
      topology.add(added.pool);
      await clock.advance(0);
      expect(added.probedAt).toHaveLength(1);
      expect(await Promise.all(times(4, () => read()))).toContain("added");
      await topology.remove("replica 1");
      expect(nth(replicas, 0).pool.closed).toBe(true);
      expect(await Promise.all(times(4, () => read()))).toEqual(times(4, () => "added"));
      expect(topology.nodes.map(({ name }) => name)).toEqual(["primary", "added"]);
      expect(() => topology.add(fakePool(undefined, "added"))).toThrow(OptionError);
      await expect(topology.remove("nobody")).rejects.toThrow("name of a node (primary, added)");
    });

    it("are drained without losing a call", async () => {
      const { clock, pool, read, replicas } = setUp(2);
      const first = nth(replicas, 0);
      let finish = (): void => undefined;
      first.answer = () => new Promise<void>((resolve) => (finish = resolve));
      const running = watch(read());
      await clock.advance(0);
      const drained = watch(topologyOf(pool).drain("replica 1"));
      expect(await Promise.all(times(4, () => read()))).toEqual(times(4, () => "replica 2"));
      expect(drained.settled).toBe(false);
      finish();
      await clock.advance(0);
      expect([running.settled, drained.settled]).toEqual([true, true]);
      topologyOf(pool).resume("replica 1");
      first.answer = () => "back";
      expect(await Promise.all(times(2, () => read()))).toContain("back");
    });

    it("are taken out only when their calls have ended, at most a while later", async () => {
      const { clock, pool, read, replicas } = setUp(2);
      const { pool: leaving } = nth(replicas, 0);
      let finish = (): void => undefined;
      nth(replicas, 0).answer = () => new Promise<void>((resolve) => (finish = resolve));
      const running = watch(read());
      await clock.advance(0);
      const removed = watch(topologyOf(pool).remove("replica 1", { drainMs: 500 }));
      await clock.advance(400);
      expect([leaving.closed, removed.settled]).toEqual([false, false]);
      finish();
      await clock.advance(0);
      expect([running.settled, leaving.closed, removed.settled]).toEqual([true, true, true]);
      nth(replicas, 1).answer = () => new Promise<void>(() => undefined);
      watch(read());
      await clock.advance(0);
      watch(topologyOf(pool).remove("replica 2", { drainMs: 500 }));
      await clock.advance(500);
      expect(nth(replicas, 1).pool.closed).toBe(true);
    });

    it.each([
      ["when another one has a newer history", "the node is a primary of an older history"],
      ["when it says that it is no primary any more", "the node is not the primary any more"],
    ])("end what still runs on one that was taken out, %s", async (when, reason) => {
      const { clock, pool, primary, replicas, promote, write } = setUp(1);
      await write();
      const before = primary.probedAt.length;
      primary.answer = () => new Promise<void>(() => undefined);
      watch(write());
      const removed = watch(topologyOf(pool).remove("primary", { drainMs: 5_000 }));
      await clock.advance(30);
      // Both are asked at once: it may have been taken out because it is the primary no more.
      expect(primary.probedAt.length).toBeGreaterThan(before);
      expect(primary.pool.interrupts).toEqual([]);
      if (when.includes("history")) promote(nth(replicas, 0));
      else primary.state = { ...primary.state, role: "replica" };
      await clock.advance(2_000);
      expect(primary.pool.interrupts.map(({ message }) => message)).toEqual([reason]);
      expect(removed.settled).toBe(false);
      await clock.advance(3_000);
      expect([removed.settled, primary.pool.closed]).toEqual([true, true]);
      const probes = primary.probedAt.length;
      await clock.advance(10_000);
      expect(primary.probedAt).toHaveLength(probes);
      await pool.close();
      expect(clock.pending).toBe(0);
    });

    it("have names of their own, also where their pools have the same", () => {
      const pool = router({ primary: fakePool(), replicas: [fakePool(), { pool: fakePool() }] });
      expect(topologyOf(pool).nodes.map(({ name }) => name)).toEqual(["fake", "fake (2)", "fake (3)"]);
      expect(() => router({ primary: fakePool(), replicas: [{ pool: fakePool(), name: "fake" }] })).toThrow(
        OptionError,
      );
    });

    it("have a balancer of the caller's own", async () => {
      const { read } = setUp(3, { balance: () => ({ pick: (nodes) => nodes.at(-1) as never }) });
      expect(await Promise.all(times(3, () => read()))).toEqual(times(3, () => "replica 3"));
    });
  });

  describe("when it closes", () => {
    it("leaves no timer behind and closes every node", async () => {
      const { clock, pool, read, write, primary, replicas } = setUp(3, { ejection: { failures: 1 } });
      await read();
      await write();
      nth(replicas, 0).trouble = refused;
      nth(replicas, 1).answer = () => {
        throw failing({ connection: "keep" });
      };
      await Promise.all(times(6, () => read()));
      await clock.advance(1500);
      nth(replicas, 0).trouble = undefined;
      await clock.advance(600);
      const closeOptions: CloseOptions = { drainMs: 10 };
      await Promise.all([pool.close(closeOptions), pool.close()]);
      expect([primary, ...replicas].every(({ pool: { closed } }) => closed)).toBe(true);
      expect(clock.pending).toBe(0);
      await expect(read()).rejects.toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
    });

    it("sends away those who wait", async () => {
      const { clock, pool, primary, write } = setUp();
      await write();
      primary.trouble = refused;
      const fate = watch(write());
      await clock.advance(100);
      await pool.close();
      await clock.advance(0);
      expect(fate.error).toMatchObject({ code: "ERR_BREAKWATER_POOL_CLOSED" });
      expect(clock.pending).toBe(0);
    });
  });

  it("opens nothing before its first call", async () => {
    const { clock, primary } = setUp();
    await clock.advance(10_000);
    expect(primary.pool.calls).toEqual([]);
  });

  it.each([
    ["primary", { primary: {} as Pool }],
    ["replicas", { replicas: [] }],
    ["replicas[0]", { replicas: [{ execute: 1 } as unknown as Pool] }],
    ["replicas[0].weight", { replicas: [{ pool: fakePool(), weight: 0 }] }],
    ["balance", { balance: "fastest" as never }],
    ["maxLag.ms", { maxLag: { ms: -1 } }],
    ["maxLag.second", { maxLag: { second: 1 } as never }],
    ["ejection.maxRatio", { ejection: { maxRatio: 2 } }],
    ["rules[0]", { rules: [{ to: "primary" }] }],
    ["rules[0]", { rules: [{ match: /x/ }] }],
    ["connect", { source: { start: () => () => undefined } }],
    ["probeIntervalMs", { probeIntervalMs: 0 }],
    ["nodes", { nodes: [] } as never],
  ])("refuses a wrong %s when it is made", (option, options: Partial<RouterOptions>) => {
    const make = (): Pool => router({ primary: fakePool(), ...options });
    expect(make).toThrow(OptionError);
    expect(make).toThrow(`router.${option}`);
  });
});
